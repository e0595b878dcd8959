package issuance

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	"certsaas/core/db"
)

// GiveOver makes an active certificate another login's, whose mobile has the given index; what its order said about contacts
// holds no longer. Who may ask for it is the caller's to prove.
func (s *Service) GiveOver(ctx context.Context, tx *db.Tx, certificate, account uuid.UUID, mobileIndex []byte) error {
	_, err := tx.Exec(ctx, `UPDATE certificates SET account_id = $3, mobile_index = $4, contact_at = $5 WHERE tenant_id = $1 AND id = $2 AND state = 'active'`,
		tx.Tenant(), certificate, account, mobileIndex, tx.Now())
	if err != nil {
		return fmt.Errorf("issuance: give over: %w", err)
	}
	return nil
}
