// Package throttle counts what must not happen too often, platform-wide and for
// all processes together: wrong codes and passwords, messages sent.
//
// In: rules, each a scope, a key (an HMAC of an address or number, never the
// thing itself), a limit and a rolling window. Out: a Grant that has counted, or
// fault.RateLimited. Windows roll in slices of a sixth, so a limit errs by at
// most one slice, to the strict side. Rows of rate_counters, written in system transactions.
package throttle

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"fmt"
	"math"
	"slices"
	"time"

	"certsaas/core/db"
	"certsaas/core/fault"
)

// Messages are this package's sentences.
//
//go:embed messages.*.toml
var Messages embed.FS

// parts of a window. More are more exact and cost more rows.
const parts = 6

// slice is how coarsely a rule counts.
func (r Rule) slice() time.Duration { return r.Window / parts }

// since is where the oldest slice that still counts begins: an event counts for
// Window at least, whenever in its slice it was.
func (r Rule) since(now time.Time) time.Time { return now.Add(-r.Window - r.slice()) }

// id is the key as stored.
func (r Rule) id() []byte {
	if r.Key == nil {
		return []byte{}
	}
	return r.Key
}

// Rule is one limit.
type Rule struct {
	Scope  string        // what is counted, e.g. "code-fail/ip"
	Key    []byte        // whose; empty = everybody's
	Limit  int64         // how often in Window
	Window time.Duration // rolling
}

// Grant is what one Take counted.
type Grant struct {
	taken  []row
	Counts map[string]int64 // by scope: how often within the window, this time included
}

type row struct {
	scope  string
	key    []byte
	window time.Time
}

// Take counts once for every rule. If any rule is at its limit the error is
// fault.RateLimited "throttle.limited" with {{.Seconds}} to wait, and the caller's
// transaction, rolled back by it, has counted nothing. Rows stay locked until the
// commit, in one order for all callers, so that parallel takes are exact.
func Take(ctx context.Context, tx *db.Tx, rules ...Rule) (Grant, error) {
	g := Grant{Counts: make(map[string]int64, len(rules))}
	rules = slices.Clone(rules)
	slices.SortFunc(rules, func(a, b Rule) int {
		return cmp.Or(cmp.Compare(a.Scope, b.Scope), bytes.Compare(a.Key, b.Key))
	})
	for _, r := range rules {
		n, err := Add(ctx, tx, r)
		if err != nil {
			return Grant{}, err
		}
		if n > r.Limit {
			return Grant{}, limited(ctx, tx, r, n)
		}
		g.Counts[r.Scope] = n
		g.taken = append(g.taken, row{r.Scope, r.id(), tx.Now().Truncate(r.slice())})
	}
	return g, nil
}

// Add counts once, without a limit, and tells the count within the window.
func Add(ctx context.Context, tx *db.Tx, r Rule) (int64, error) {
	if err := add(ctx, tx, r); err != nil {
		return 0, err
	}
	return Count(ctx, tx, r)
}

func add(ctx context.Context, tx *db.Tx, r Rule) error {
	_, err := tx.Exec(ctx, `INSERT INTO rate_counters (scope, key, window_start, count) VALUES ($1, $2, $3, 1)
		ON CONFLICT (scope, key, window_start) DO UPDATE SET count = rate_counters.count + 1`, r.Scope, r.id(), tx.Now().Truncate(r.slice()))
	if err != nil {
		return fmt.Errorf("throttle: count: %w", err)
	}
	return nil
}

// Count is how often a rule's thing happened within its window.
func Count(ctx context.Context, tx *db.Tx, r Rule) (int64, error) {
	var n int64
	err := tx.QueryRow(ctx, `SELECT coalesce(sum(count), 0)::bigint FROM rate_counters WHERE scope = $1 AND key = $2 AND window_start > $3`,
		r.Scope, r.id(), r.since(tx.Now())).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("throttle: read: %w", err)
	}
	return n, nil
}

// GiveBack undoes a grant: what was counted beforehand turned out to be good.
func (g Grant) GiveBack(ctx context.Context, tx *db.Tx) error {
	for _, r := range g.taken { // in the order they were taken
		if _, err := tx.Exec(ctx, `UPDATE rate_counters SET count = count - 1 WHERE scope = $1 AND key = $2 AND window_start = $3 AND count > 0`,
			r.scope, r.key, r.window); err != nil {
			return fmt.Errorf("throttle: give back: %w", err)
		}
	}
	return nil
}

// limited finds how long until enough of the window has rolled out.
func limited(ctx context.Context, tx *db.Tx, r Rule, n int64) error {
	rows, err := tx.Query(ctx, `SELECT window_start, count FROM rate_counters WHERE scope = $1 AND key = $2 AND window_start > $3 ORDER BY window_start`,
		r.Scope, r.id(), r.since(tx.Now()))
	if err != nil {
		return fmt.Errorf("throttle: read: %w", err)
	}
	defer rows.Close()
	wait := r.Window
	for rows.Next() {
		var start time.Time
		var count int64
		if err := rows.Scan(&start, &count); err != nil {
			return fmt.Errorf("throttle: read: %w", err)
		}
		if n -= count; n <= r.Limit {
			wait = start.Add(r.Window + r.slice()).Sub(tx.Now())
			break
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("throttle: read: %w", err)
	}
	return Limited(wait)
}

// Limited is the refusal, with the time to wait rounded up to seconds.
func Limited(wait time.Duration) error {
	s := int(math.Ceil(wait.Seconds()))
	if s < 1 {
		s = 1
	}
	if s > 90 {
		return fault.New(fault.RateLimited, "throttle.limited_minutes", "Seconds", s, "Minutes", (s+59)/60)
	}
	return fault.New(fault.RateLimited, "throttle.limited", "Seconds", s)
}

// Sweep removes counters older than age and tells how many. A daily job calls it.
func Sweep(ctx context.Context, d *db.DB, age time.Duration) (int64, error) {
	var n int64
	err := d.WithSystem(ctx, "throttle/sweep", func(ctx context.Context, tx *db.Tx) error {
		tag, err := tx.Exec(ctx, `DELETE FROM rate_counters WHERE window_start < $1`, tx.Now().Add(-age))
		n = tag.RowsAffected()
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("throttle: sweep: %w", err)
	}
	return n, nil
}
