package reminder_test

import (
	"testing"
	"time"
)

// A message that came to nothing, because what it was about was ordered meanwhile, does not stand for the day's message: another
// certificate of the same person is spoken of today.
func TestDroppedMessageDoesNotSilenceTheDay(t *testing.T) {
	t.Parallel()
	p := &post{}
	w := newWorld(t, at("2026-12-01 10:00"), 0, p)
	for day := range 2 {
		w.add("byd", "BYD-GQGX", "13800138000", "", at("2026-12-08 12:00").AddDate(0, 0, day))
	}
	_, err := w.Reminders.Sweep(t.Context())
	if err == nil {
		_, err = w.Reminders.FormNotices(t.Context(), 10)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range w.cells { // the message is not on its way yet
		w.ordered(c)
	}
	w.add("byd", "BYD-GQGX", "13800138000", "", at("2026-12-09 18:00"))
	w.clock.Advance(24 * time.Hour)
	w.run() // yesterday's message comes to nothing
	w.clock.Advance(time.Hour)
	w.run()
	if n := len(p.sent()); n != 1 {
		t.Errorf("%d messages on the day, want 1", n)
	}
}
