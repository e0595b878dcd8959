package audit

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"certsaas/core/vault"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Keys are those of the chain: a MAC key, so that whoever steals or changes the database cannot make a new chain, and a signing key for the
// checkpoints, whose public half may be given away. Both follow from the platform's data key.
type Keys struct {
	mac  []byte
	sign ed25519.PrivateKey
}

// NewKeys derives the keys from vault.PlatformKeys.
func NewKeys(platform *vault.Keys) Keys {
	return Keys{
		mac:  platform.MAC("audit chain", nil),
		sign: ed25519.NewKeyFromSeed(platform.MAC("audit checkpoint", nil)),
	}
}

// Public verifies checkpoints.
func (k Keys) Public() ed25519.PublicKey { return k.sign.Public().(ed25519.PublicKey) }

// record is an entry as it is chained: every column, in this order, as JSON. Names and order are the format; do not change them.
type record struct {
	Tenant    uuid.UUID       `json:"tenant"`
	Seq       int64           `json:"seq"`
	ID        uuid.UUID       `json:"id"`
	At        time.Time       `json:"at"`
	ActorKind string          `json:"actor_kind"`
	ActorID   *uuid.UUID      `json:"actor_id"`
	ActorName string          `json:"actor_name"`
	Action    string          `json:"action"`
	Resource  string          `json:"resource"`
	Outcome   string          `json:"outcome"`
	Detail    json.RawMessage `json:"detail"`
}

// entryColumns are those of record after Seq.
const entryColumns = `e.id, e.at, e.actor_kind, e.actor_id, e.actor_name, e.action, e.resource, e.outcome, e.detail::text`

// scan reads entryColumns; before are the targets of columns that stand in front of them.
func (r *record) scan(rows pgx.Rows, before ...any) error {
	var detail string
	targets := append(before, &r.ID, &r.At, &r.ActorKind, &r.ActorID, &r.ActorName, &r.Action, &r.Resource, &r.Outcome, &detail)
	if err := rows.Scan(targets...); err != nil {
		return err
	}
	r.At = r.At.UTC()
	r.Detail = json.RawMessage(detail)
	return nil
}

// hash chains the entry to the hash of the one before it: HMAC-SHA-256(prev ‖ canonical JSON).
func (k Keys) hash(prev []byte, r *record) ([]byte, error) {
	canonical := *r
	detail, err := canonicalJSON(r.Detail)
	if err != nil {
		return nil, fmt.Errorf("audit: entry %s: %w", r.ID, err)
	}
	canonical.Detail = detail
	raw, err := json.Marshal(canonical)
	if err != nil {
		return nil, fmt.Errorf("audit: entry %s: %w", r.ID, err)
	}
	mac := hmac.New(sha256.New, k.mac)
	mac.Write(prev)
	mac.Write(raw)
	return mac.Sum(nil), nil
}

// canonicalJSON writes JSON with sorted keys, numbers as they stand, no blanks.
func canonicalJSON(raw []byte) ([]byte, error) {
	var v any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	return json.Marshal(v)
}
