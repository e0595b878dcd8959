package order

import (
	"context"

	"certsaas/core/authz"
)

// ResourceFor is the order as authorisation sees it for the browser in ctx (see WithVisitor); slices to the right ask
// their own actions about it.
func (o Order) ResourceFor(ctx context.Context) authz.Resource { return o.Resource(visitorFrom(ctx)) }
