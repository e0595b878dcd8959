package portal_test

import (
	"testing"

	"certsaas/core/i18n"
	"certsaas/portal"
)

// Both languages say the same things.
func TestMessages(t *testing.T) {
	t.Parallel()
	for _, problem := range i18n.Lint(portal.Messages) {
		t.Error(problem)
	}
}
