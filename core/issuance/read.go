package issuance

import (
	"context"

	"github.com/google/uuid"

	"certsaas/core/db"
)

// Certificate reads one certificate of the transaction's tenant, nil when there is none. The caller decides who may see it.
func (s *Service) Certificate(ctx context.Context, tx *db.Tx, id uuid.UUID) (*Certificate, error) {
	return s.find(ctx, tx, id)
}
