package payment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/vault"
)

const payerColumn = "vouchers.payer"

// nearPicture is the greatest Hamming distance of two perceptual hashes of one picture.
const nearPicture = 4

// ReasonColumn is the vault's name of the words a voucher was sent back with.
const ReasonColumn = "vouchers.reason"

// payer is the sealed part of a voucher.
type payer struct {
	Name   string `json:"name"`
	Last4  string `json:"last4"`
	Remark string `json:"remark,omitempty"`
}

// picture is what is compared of a stored picture.
type picture struct {
	sha256 []byte
	phash  *int64
}

// pictureOf finds the picture of a voucher; nil when the order has no such picture.
func pictureOf(ctx context.Context, tx *db.Tx, orderID, fileID uuid.UUID) (*picture, error) {
	var p picture
	err := tx.QueryRow(ctx, `SELECT sha256, phash FROM files WHERE tenant_id = $1 AND id = $2 AND order_id = $3 AND field = $4`,
		tx.Tenant(), fileID, orderID, VoucherField).Scan(&p.sha256, &p.phash)
	if errors.Is(err, db.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("payment: voucher picture: %w", err)
	}
	return &p, nil
}

// seenBefore tells whether the same picture, byte for byte or nearly, came
// with another voucher of this tenant.
func seenBefore(ctx context.Context, tx *db.Tx, fileID uuid.UUID, p picture) (bool, error) {
	var seen bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM vouchers v JOIN files f ON f.tenant_id = v.tenant_id AND f.id = v.file_id
		WHERE v.tenant_id = $1 AND (f.id = $2 OR f.sha256 = $3
			OR ($4::bigint IS NOT NULL AND f.phash IS NOT NULL AND bit_count((f.phash # $4::bigint)::bit(64)) <= $5)))`,
		tx.Tenant(), fileID, p.sha256, p.phash, nearPicture).Scan(&seen)
	if err != nil {
		return false, fmt.Errorf("payment: same picture: %w", err)
	}
	return seen, nil
}

func insertVoucher(ctx context.Context, tx *db.Tx, keys *vault.Keys, v Voucher) error {
	plain, err := json.Marshal(payer{Name: v.PayerName, Last4: v.PayerLast4, Remark: v.Remark})
	if err != nil {
		return fmt.Errorf("payment: voucher: %w", err)
	}
	_, err = tx.Exec(ctx, `INSERT INTO vouchers (tenant_id, id, order_id, payment_id, payer_sealed, amount_fen, transferred_on, file_id, flags, created_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7::date, $8, $9, $10)`,
		tx.Tenant(), v.ID, v.Order, v.Payment, keys.Seal(payerColumn, v.ID, plain), v.AmountFen, day(v.TransferredOn), v.File, v.Flags, tx.Now())
	if err != nil {
		return fmt.Errorf("payment: insert voucher: %w", err)
	}
	return nil
}

// day is a date as the driver wants it.
func day(d clock.Date) time.Time { return d.At(0, 0, time.UTC) }

func (s *Service) decideVoucher(ctx context.Context, tx *db.Tx, v Voucher) error {
	keys, err := s.vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE vouchers SET state = $3, reason = $4, bank_txn_id = nullif($5, ''), decided_by = $6, seconded_by = $7, decided_at = $8
		WHERE tenant_id = $1 AND id = $2`, tx.Tenant(), v.ID, v.State, keys.SealText(ReasonColumn, v.ID, v.Reason), v.BankTxnID, optional(v.DecidedBy), optional(v.SecondedBy), v.DecidedAt)
	if err != nil {
		return fmt.Errorf("payment: decide voucher: %w", err)
	}
	return nil
}

func optional(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

const voucherColumns = `v.tenant_id, v.id, v.order_id, v.payment_id, v.payer_sealed, v.amount_fen, p.amount_fen, v.transferred_on, v.file_id,
	v.flags, v.state, v.reason, coalesce(v.bank_txn_id, ''), v.created_at, v.decided_by, v.seconded_by, v.decided_at`

const voucherFrom = ` FROM vouchers v JOIN payments p ON p.tenant_id = v.tenant_id AND p.id = v.payment_id `

// sealedVoucher is a row whose payer is not opened yet.
type sealedVoucher struct {
	Voucher
	sealed []byte
}

func scanVoucher(row pgx.Row) (sealedVoucher, error) {
	var v sealedVoucher
	var on time.Time
	var decided, seconded *uuid.UUID
	err := row.Scan(&v.Tenant, &v.ID, &v.Order, &v.Payment, &v.sealed, &v.AmountFen, &v.DueFen, &on, &v.File, &v.Flags, &v.State,
		&v.Reason, &v.BankTxnID, &v.CreatedAt, &decided, &seconded, &v.DecidedAt)
	if errors.Is(err, db.ErrNoRows) {
		return v, fault.New(fault.NotFound, "payment.voucher_not_found")
	}
	if err != nil {
		return v, fmt.Errorf("payment: voucher: %w", err)
	}
	v.TransferredOn = clock.CivilDate(on, time.UTC)
	if decided != nil {
		v.DecidedBy = *decided
	}
	if seconded != nil {
		v.SecondedBy = *seconded
	}
	return v, nil
}

func (v sealedVoucher) open(keys *vault.Keys) (Voucher, error) {
	plain, err := keys.Open(payerColumn, v.ID, v.sealed)
	if err != nil {
		return Voucher{}, fmt.Errorf("payment: open voucher: %w", err)
	}
	var p payer
	if err := json.Unmarshal(plain, &p); err != nil {
		return Voucher{}, fmt.Errorf("payment: open voucher: %w", err)
	}
	v.PayerName, v.PayerLast4, v.Remark = p.Name, p.Last4, p.Remark
	if v.Reason, err = keys.OpenText(ReasonColumn, v.ID, v.Reason); err != nil {
		return Voucher{}, fmt.Errorf("payment: open voucher: %w", err)
	}
	return v.Voucher, nil
}

func voucherByID(ctx context.Context, tx *db.Tx, keys *vault.Keys, id uuid.UUID, lock string) (Voucher, error) {
	v, err := scanVoucher(tx.QueryRow(ctx, `SELECT `+voucherColumns+voucherFrom+`WHERE v.tenant_id = $1 AND v.id = $2`+lock, tx.Tenant(), id))
	if err != nil {
		return Voucher{}, err
	}
	return v.open(keys)
}

// newestVoucher is the latest voucher of an order, nil when there is none.
func (s *Service) newestVoucher(ctx context.Context, tx *db.Tx, orderID uuid.UUID) (*Voucher, error) {
	sealed, err := scanVoucher(tx.QueryRow(ctx, `SELECT `+voucherColumns+voucherFrom+`WHERE v.tenant_id = $1 AND v.order_id = $2
		ORDER BY v.created_at DESC, v.id DESC LIMIT 1`, tx.Tenant(), orderID))
	if errors.Is(err, fault.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	keys, err := s.vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return nil, err
	}
	v, err := sealed.open(keys)
	return &v, err
}

// waitingVouchers reads across tenants, or of one; rows are read to their end
// before the vault asks for keys on the same connection.
func (s *Service) waitingVouchers(ctx context.Context, tx *db.Tx, only uuid.UUID, limit int) ([]Voucher, error) {
	rows, err := tx.Query(ctx, `SELECT `+voucherColumns+voucherFrom+`WHERE v.state = 'submitted' AND ($1::uuid IS NULL OR v.tenant_id = $1)
		ORDER BY v.created_at, v.id LIMIT $2`, optional(only), limit)
	if err != nil {
		return nil, fmt.Errorf("payment: vouchers: %w", err)
	}
	sealed, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (sealedVoucher, error) { return scanVoucher(r) })
	if err != nil {
		return nil, err
	}
	list := make([]Voucher, 0, len(sealed))
	for _, sv := range sealed {
		keys, err := s.vault.Keys(ctx, tx, sv.Tenant)
		if err != nil {
			return nil, err
		}
		v, err := sv.open(keys)
		if err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, nil
}
