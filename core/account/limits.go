package account

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"certsaas/core/account/throttle"
)

// Limits bound codes and logins (reliability A5). Per number limits hold within
// a tenant and are exact; the others hold for the whole platform.
type Limits struct {
	Lifetime time.Duration // of a code, when the caller names none
	Resend   time.Duration // between two codes to one number, when the caller names none

	NumberHour, NumberDay int64 // codes to one number of one tenant
	NumberAll             int64 // codes to one number a day, all tenants together
	BlockHour             int64 // codes to a block of a thousand numbers, which pumping walks through in order
	IPHour, NetHour       int64 // codes asked for by one address; by its /24 (IPv4) or /48 (IPv6)
	TenantDay             int64 // a tenant's budget per civil day in Shanghai
	WarnPercent           int64 // of the budget, when an alarm is due

	WrongIP, WrongNet         int64 // wrong codes an hour
	WrongAll                  int64 // wrong codes an hour of everybody, from where each address has TightIP tries only
	TightIP, TightNet         int64
	LoginPair                 int64 // wrong passwords per mobile and address in 15 minutes
	LoginIP, LoginNet         int64 // … per address an hour
	LoginNumber, LoginFailAll int64 // … per mobile a day, then by code only; of everybody an hour
}

// DefaultLimits are the platform's.
func DefaultLimits() Limits {
	return Limits{
		Lifetime: 5 * time.Minute, Resend: time.Minute,
		NumberHour: 5, NumberDay: 10, NumberAll: 20, BlockHour: 30, IPHour: 10, NetHour: 30, TenantDay: 2000, WarnPercent: 70,
		WrongIP: 20, WrongNet: 60, WrongAll: 500, TightIP: 1, TightNet: 5,
		LoginPair: 5, LoginIP: 50, LoginNet: 150, LoginNumber: 50, LoginFailAll: 2000,
	}
}

func (l Limits) orDefault() Limits {
	d := DefaultLimits()
	for _, f := range []struct{ have, or *int64 }{
		{&l.NumberHour, &d.NumberHour}, {&l.NumberDay, &d.NumberDay}, {&l.NumberAll, &d.NumberAll}, {&l.BlockHour, &d.BlockHour},
		{&l.IPHour, &d.IPHour}, {&l.NetHour, &d.NetHour}, {&l.TenantDay, &d.TenantDay}, {&l.WarnPercent, &d.WarnPercent},
		{&l.WrongIP, &d.WrongIP}, {&l.WrongNet, &d.WrongNet}, {&l.WrongAll, &d.WrongAll},
		{&l.TightIP, &d.TightIP}, {&l.TightNet, &d.TightNet}, {&l.LoginPair, &d.LoginPair},
		{&l.LoginIP, &d.LoginIP}, {&l.LoginNet, &d.LoginNet}, {&l.LoginNumber, &d.LoginNumber}, {&l.LoginFailAll, &d.LoginFailAll},
	} {
		if *f.have == 0 {
			*f.have = *f.or
		}
	}
	if l.Lifetime == 0 {
		l.Lifetime = d.Lifetime
	}
	if l.Resend == 0 {
		l.Resend = d.Resend
	}
	return l
}

// Client is where a request comes from.
type Client struct {
	IP      netip.Addr // the peer, as the web layer's trusted-proxy rule found it
	Browser string     // secret of the browser: visitor cookie or session token; never stored
}

// key is the HMAC a counter knows something by: counters are the platform's and hold no personal data.
func (s *Service) key(scope, value string) []byte {
	return s.vault.PlatformKeys().MAC("rate."+scope, []byte(value))
}

// ip and network name a client's address and its neighbourhood.
func (c Client) ip() string { return c.IP.Unmap().String() }

func (c Client) network() string {
	ip := c.IP.Unmap()
	bits := 48
	if ip.Is4() {
		bits = 24
	}
	p, err := ip.Prefix(bits)
	if err != nil { // only for the zero address
		return ip.String()
	}
	return p.String()
}

// sendRules are the platform-wide limits on sending, besides the exact ones of the number.
func (s *Service) sendRules(mobile string, c Client) []throttle.Rule {
	return []throttle.Rule{
		{Scope: "code-send/number", Key: s.key("number", mobile), Limit: s.limits.NumberAll, Window: 24 * time.Hour},
		{Scope: "code-send/block", Key: s.key("block", mobile[:8]), Limit: s.limits.BlockHour, Window: time.Hour},
		{Scope: "code-send/ip", Key: s.key("ip", c.ip()), Limit: s.limits.IPHour, Window: time.Hour},
		{Scope: "code-send/net", Key: s.key("net", c.network()), Limit: s.limits.NetHour, Window: time.Hour},
	}
}

// codeGuard stands before every code that is typed.
func (s *Service) codeGuard(c Client) throttle.Guard {
	return throttle.Guard{
		DB: s.db, Component: "account/code", Alarm: s.guessing(s.limits.WrongAll),
		All: throttle.Rule{Scope: "code-fail/all", Limit: s.limits.WrongAll, Window: time.Hour},
		Rules: func(tight bool) []throttle.Rule {
			ip, network := s.limits.WrongIP, s.limits.WrongNet
			if tight {
				ip, network = s.limits.TightIP, s.limits.TightNet
			}
			return []throttle.Rule{
				{Scope: "code-fail/ip", Key: s.key("ip", c.ip()), Limit: ip, Window: time.Hour},
				{Scope: "code-fail/net", Key: s.key("net", c.network()), Limit: network, Window: time.Hour},
			}
		},
	}
}

// loginGuard stands before every password that is typed. A mobile's own limit is
// the last resort and costs its owner the password only: he logs in by code.
func (s *Service) loginGuard(mobile string, c Client) throttle.Guard {
	return throttle.Guard{
		DB: s.db, Component: "account/login", Alarm: s.guessing(s.limits.LoginFailAll),
		All: throttle.Rule{Scope: "login-fail/all", Limit: s.limits.LoginFailAll, Window: time.Hour},
		Rules: func(tight bool) []throttle.Rule {
			ip, network := s.limits.LoginIP, s.limits.LoginNet
			if tight {
				ip, network = s.limits.TightIP, s.limits.TightNet
			}
			return []throttle.Rule{
				{Scope: "login-fail/pair", Key: s.key("pair", mobile+"|"+c.ip()), Limit: s.limits.LoginPair, Window: 15 * time.Minute},
				{Scope: "login-fail/ip", Key: s.key("ip", c.ip()), Limit: ip, Window: time.Hour},
				{Scope: "login-fail/net", Key: s.key("net", c.network()), Limit: network, Window: time.Hour},
				{Scope: "login-fail/number", Key: s.key("number", mobile), Limit: s.limits.LoginNumber, Window: 24 * time.Hour},
			}
		},
	}
}

func (s *Service) guessing(limit int64) func(ctx context.Context, scope string, n int64) {
	return func(ctx context.Context, scope string, n int64) {
		s.alarm(ctx, Alarm{Scope: scope, Count: n, Limit: limit})
	}
}

func (s *Service) budgetAlarm(ctx context.Context, tenant uuid.UUID, n int64) {
	s.alarm(ctx, Alarm{Scope: "code-send/tenant", Key: tenant.String(), Count: n, Limit: s.limits.TenantDay})
}

func logAlarm(ctx context.Context, a Alarm) {
	slog.WarnContext(ctx, "account alarm", "scope", a.Scope, "key", a.Key, "count", a.Count, "limit", a.Limit)
}
