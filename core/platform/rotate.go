package platform

import (
	"context"
	"fmt"
	"slices"

	"certsaas/core/audit"
	"certsaas/core/db"
	"certsaas/core/vault"
)

// RotateKEK goes to a new key-encryption key (vault.Rotate); every data key that changes its wrapping is in the audit of its
// tenant. It says what was done, for the operator.
func (p *Platform) RotateKEK(ctx context.Context) (string, error) {
	r, err := p.Vault.Rotate(ctx, func(ctx context.Context, tx *db.Tx, r vault.Rewrapped) error {
		return audit.Record(ctx, tx, audit.Entry{Action: "vault.rotate", Resource: "tenant_key/" + r.Tenant.String(), Tenant: r.Tenant,
			Detail: map[string]any{"from": r.From, "to": r.To}})
	})
	if err != nil {
		return "", fmt.Errorf("after %d data keys, run it again: %w", r.Rewrapped, err)
	}
	said := fmt.Sprintf("key-encryption key %s is in use; %d data keys were wrapped anew", r.To, r.Rewrapped)
	if r.Retired != "" {
		return said + "\nthe key before is in " + r.Retired + ": only backups made before now need it", nil
	}
	return said + "\ntake the old key out of CERTSAAS_VAULT_KEK; only backups made before now need it", nil
}

// vaultFindings tells of a rotation that was not finished.
func (p *Platform) vaultFindings(ctx context.Context) ([]Finding, error) {
	g, err := p.Vault.Generations(ctx)
	if err != nil {
		return nil, err
	}
	var found []Finding
	for id, n := range g.Old {
		found = append(found, Finding{What: fmt.Sprintf("%d data keys are still wrapped by the old key-encryption key %s, not by %s", n, id, g.Current),
			Remedy: "run `certsaas vault rotate`"})
	}
	slices.SortFunc(found, func(a, b Finding) int { return len(a.What) - len(b.What) })
	if g.Given > 1 && len(g.Old) == 0 {
		found = append(found, Finding{What: fmt.Sprintf("%d key-encryption keys are given, and one is in use", g.Given),
			Remedy: "run `certsaas vault rotate`; take the old ones out of CERTSAAS_VAULT_KEK when the keys stand there"})
	}
	return found, nil
}
