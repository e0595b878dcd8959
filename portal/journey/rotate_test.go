package journey

import (
	"strings"
	"testing"
)

// TestVaultRotate (reliability K3) goes to a new key-encryption key beside the running program, while the other journeys
// go on: what was typed before is there, new personal data are taken, and doctor knows of no old key.
func TestVaultRotate(t *testing.T) {
	t.Parallel()
	w := visit(t)
	v := w.NewVisitor(t)
	v.Open(w.URL("", "/createOrder?productCode=CERT272353")).Form("product").Press("立即办理")
	v.Form("agent_name").Set("agent_name", "换钥演示").Press("")
	for range 2 {
		if said := w.cli(0, "vault", "rotate"); !strings.Contains(said, "is in use") {
			t.Error(said)
		}
		f := v.Open(v.URL.String()).Form("agent_name")
		equal(t, "what was typed before", "换钥演示", f.Values.Get("agent_name"))
		f.Set("email", "rotate@example.com").Press("")
	}
	equal(t, "what was typed after", "rotate@example.com", v.Open(v.URL.String()).Form("email").Values.Get("email"))
	if said, _, err := w.Command(t.Context(), "doctor"); err != nil || strings.Contains(said, "key-encryption") {
		t.Errorf("doctor: %s (%v)", said, err)
	}
}
