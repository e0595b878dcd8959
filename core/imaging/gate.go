package imaging

import (
	"context"
	"fmt"
)

// Gate lets a few pictures be decoded at once: each takes tens of megabytes, and many would take the machine.
type Gate struct{ places chan struct{} }

// NewGate makes a gate of n places; 2 is right for two cores.
func NewGate(n int) *Gate { return &Gate{make(chan struct{}, max(1, n))} }

// Harden waits for a place, then does as the function Harden. It returns ctx's error when it ends before a place is free.
func (g *Gate) Harden(ctx context.Context, raw []byte, limits Limits) (Image, error) {
	if err := g.enter(ctx); err != nil {
		return Image{}, err
	}
	defer g.leave()
	return Harden(raw, limits)
}

// Precheck waits for a place, then does as the function Precheck.
func (g *Gate) Precheck(ctx context.Context, img Image, want Want) ([]Finding, error) {
	if err := g.enter(ctx); err != nil {
		return nil, err
	}
	defer g.leave()
	return Precheck(ctx, img, want)
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
