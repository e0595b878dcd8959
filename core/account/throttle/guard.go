package throttle

import (
	"context"
	"fmt"
	"time"

	"certsaas/core/db"
)

// giveBackLimit bounds the bookkeeping after a try, whose caller may be gone by then.
const giveBackLimit = 5 * time.Second

// Guard stands before a secret that can be guessed. Every try is counted before
// it is looked at and given back when it was good, so that any number of
// parallel tries cannot pass a limit. Failures are also counted under All; once
// All is at its limit, Rules are asked for their tight form: a guesser spread over
// many addresses is stopped while an honest person, who is right at his first
// try, still gets in. Nobody can lock somebody else out.
type Guard struct {
	DB        *db.DB
	Component string                                               // of the system transactions, e.g. "account/code"
	Rules     func(tight bool) []Rule                              // per address, pair, …
	All       Rule                                                 // failures together; its Limit begins the tight mode
	Alarm     func(ctx context.Context, scope string, count int64) // once, when All reaches its limit
}

// Try runs one try. attempt tells whether it was bad (a wrong code or password);
// its error is returned as it is. At a limit the error is fault.RateLimited and
// attempt does not run.
func (g Guard) Try(ctx context.Context, attempt func(ctx context.Context) (bad bool, err error)) error {
	var grant Grant
	err := g.DB.WithSystem(ctx, g.Component, func(ctx context.Context, tx *db.Tx) error {
		failures, err := Count(ctx, tx, g.All)
		if err != nil {
			return err
		}
		grant, err = Take(ctx, tx, g.Rules(failures >= g.All.Limit)...)
		return err
	})
	if err != nil {
		return err
	}
	bad, outcome := attempt(ctx)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveBackLimit)
	defer cancel()
	err = g.DB.WithSystem(ctx, g.Component, func(ctx context.Context, tx *db.Tx) error {
		if !bad {
			return grant.GiveBack(ctx, tx)
		}
		n, err := Add(ctx, tx, g.All)
		if err == nil && n == g.All.Limit && g.Alarm != nil {
			tx.AfterCommit(func() { g.Alarm(ctx, g.All.Scope, n) })
		}
		return err
	})
	if outcome != nil {
		return outcome
	}
	if err != nil && !bad {
		return nil // the person was right; a count too many is not his trouble
	}
	if err != nil {
		return fmt.Errorf("throttle: after the try: %w", err)
	}
	return nil
}
