package platform

import (
	"context"
	"fmt"

	"certsaas/core/authz"
	"certsaas/core/tenant"
	"certsaas/tenants"
)

// InstallPacks publishes the tenants that come with the program; what did not change stays as it is.
func (p *Platform) InstallPacks(ctx context.Context) error {
	ctx = authz.WithPrincipal(ctx, authz.System("platform/packs"))
	for _, slug := range tenants.Slugs() {
		def, problems := tenant.Load(tenants.Base(), tenants.Pack(slug))
		if err := problems.Err(); err != nil {
			return fmt.Errorf("platform: pack %s: %w", slug, err)
		}
		if _, err := p.Releases.Install(ctx, def); err != nil {
			return fmt.Errorf("platform: pack %s: %w", slug, err)
		}
	}
	return nil
}
