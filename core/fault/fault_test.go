package fault_test

import (
	"errors"
	"fmt"
	"testing"

	"certsaas/core/fault"
)

func TestKindSurvivesWrapping(t *testing.T) {
	t.Parallel()
	cause := errors.New("row gone")
	err := fmt.Errorf("order: find: %w", fault.Wrap(fault.NotFound, "order.not_found", cause, "No", "A1"))
	if !errors.Is(err, fault.NotFound) || errors.Is(err, fault.Conflict) {
		t.Errorf("kind of %v is lost or mixed up", err)
	}
	if !errors.Is(err, cause) {
		t.Error("the cause is lost")
	}
	if got := fault.From(err); got == nil || got.Args["No"] != "A1" {
		t.Errorf("From(%v) = %+v", err, got)
	}
	if fault.From(cause) != nil {
		t.Error("an internal error must have no fault")
	}
}
