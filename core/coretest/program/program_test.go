package program_test

import (
	"strings"
	"testing"

	"certsaas/core/coretest/program"
)

// TestKillLosesNothing cuts the power while a visitor fills in an order: what was saved is there when the program is back,
// the visitor goes on in the same browser, and the data keep their invariants.
func TestKillLosesNothing(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts the program")
	}
	t.Parallel()
	p := program.Start(t, program.Options{})
	v := p.NewVisitor(t)
	v.Open(p.URL("", "/createOrder?productCode=CERT272353")).Form("product").Press("立即办理")
	v.Form("agent_name").Set("agent_name", "断电演示").Set("mobile", "13800138061").Press("")
	if v.Status != 422 {
		t.Fatalf("half a form: %d", v.Status)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := p.Launch(); err != nil {
		t.Fatal(err)
	}
	if got := v.Open(v.URL.String()).Form("agent_name").Values.Get("agent_name"); got != "断电演示" {
		t.Errorf("after the power cut the form holds %q", got)
	}
	for _, look := range []string{"fsck", "doctor"} {
		said, code, err := p.Command(t.Context(), look)
		if err != nil || code != 0 && look == "fsck" {
			t.Errorf("%s: exit %d, %v\n%s", look, code, err, said)
		}
	}
	if err := p.Restart(); err != nil {
		t.Fatal(err)
	}
	if log := p.Log(); strings.Contains(log, "panic") {
		t.Error(log)
	}
}
