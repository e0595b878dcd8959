package platform

import (
	"context"

	"certsaas/core/web"
)

// Sessions opens the session a cookie stands for: applicants on a portal, staff on the console, nobody on the platform's own host.
func (p *Platform) Sessions(ctx context.Context, site *web.Site, token string) (web.Session, error) {
	switch site.Side {
	case web.Portal:
		s, err := p.Accounts.Authenticate(ctx, site.Tenant, token)
		if err != nil {
			return web.Session{}, err
		}
		return web.Session{Principal: s.Account.Principal(), Value: s}, nil
	case web.Console:
		s, err := p.Staff.Authenticate(ctx, token)
		if err != nil {
			return web.Session{}, err
		}
		return web.Session{Principal: s.Principal(), Value: s}, nil
	case web.Platform:
	}
	return web.Session{}, nil
}
