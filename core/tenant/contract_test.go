package tenant

import (
	"testing"

	"certsaas/tenants"
)

func TestLoadPacks(t *testing.T) {
	t.Parallel()
	for _, slug := range tenants.Slugs() {
		if _, ps := Load(tenants.Base(), tenants.Pack(slug)); len(ps) > 0 {
			t.Errorf("%s:\n%s", slug, ps.Error())
		}
	}
}
