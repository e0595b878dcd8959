package platform_test

import (
	"strings"
	"testing"
	"time"

	"certsaas/core/coretest"
	"certsaas/core/platform/platformtest"
)

// A demonstration whose clock was ahead does not start at an earlier time: its leases would stand still.
func TestTimeDoesNotGoBack(t *testing.T) {
	t.Parallel()
	w := platformtest.New(t)
	if err := w.Lived(t.Context()); err != nil {
		t.Errorf("new data: %v", err)
	}
	coretest.OwnerExec(t, w.DB, `INSERT INTO job_runs (name, last_start_at) VALUES ('outbox', $1)`, w.Clock.Now())
	w.Clock.Shift(335 * 24 * time.Hour)
	if err := w.Lived(t.Context()); err != nil {
		t.Errorf("later: %v", err)
	}
	w.Clock.Shift(-336 * 24 * time.Hour)
	if err := w.Lived(t.Context()); err == nil || !strings.Contains(err.Error(), "by 1d more") && !strings.Contains(err.Error(), "by 2d more") {
		t.Errorf("a day earlier: %v", err)
	}
}
