package imaging

import (
	"context"
	"fmt"
)

// Gate lets a few pictures be decoded at once: each takes tens of megabytes, and many would take the machine.
type Gate struct{ places chan struct{} }

// NewGate makes a gate of n places; 2 is right for two cores.
func NewGate(n int) *Gate { return &Gate{make(chan struct{}, max(1, n))} }

// Do waits for a place, then runs f, which does everything that needs a picture's pixels: what it leaves behind must not hold
// them, or they would pile up behind the gate. It returns ctx's error when that ends before a place is free.
func (g *Gate) Do(ctx context.Context, f func() error) error {
	if err := g.enter(ctx); err != nil {
		return err
	}
	defer g.leave()
	return f()
}

func (g *Gate) enter(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("imaging: gate: %w", err)
	}
	select {
	case g.places <- struct{}{}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("imaging: gate: %w", ctx.Err())
	}
}

func (g *Gate) leave() { <-g.places }
