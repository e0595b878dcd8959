package platformtest_test

import (
	"testing"

	"github.com/google/uuid"

	"certsaas/core/order"
	"certsaas/core/platform/platformtest"
)

// The bench's own orders walk to their end.
func TestBench(t *testing.T) {
	t.Parallel()
	b := platformtest.NewBench(t)
	o, _, _ := b.Write(b.Approved(platformtest.Renew, uuid.Nil, nil))
	if o.State != order.Completed {
		t.Errorf("renewal ends %s", o.State)
	}
	o, _, _ = b.Write(b.Approved(platformtest.Make, uuid.Nil, nil))
	if o.State != order.ToDeliver {
		t.Errorf("purchase stands %s", o.State)
	}
}
