// Package vault keeps personal data unreadable at rest.
//
// In: plain bytes, with the column and row they belong to. Out: AES-256-GCM ciphertext bound to tenant, column and row, and
// blind indexes to find a value by equality. Each tenant has a data key of its own, stored wrapped by the platform's
// key-encryption key; destroying it shreds the tenant's personal data.
package vault

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"certsaas/core/db"

	"github.com/google/uuid"
)

// Vault hands out the keys of tenants. It is safe for concurrent use.
type Vault struct {
	db       *db.DB
	keks     []kek // current first
	platform *Keys
	mu       sync.RWMutex
	cache    map[uuid.UUID]*Keys
}

// Open reads the key-encryption key and refuses to work when data keys exist that it cannot unwrap: there is no fallback to
// plain text, and no new key is made where an old one was lost.
func Open(ctx context.Context, c Config, d *db.DB) (*Vault, error) {
	used, err := usedKEKs(ctx, d)
	if err != nil {
		return nil, err
	}
	keks, err := loadKEKs(c)
	if errors.Is(err, ErrNoKEK) && c.Create && len(used) == 0 {
		if err := createKEK(c); err != nil {
			return nil, err
		}
		keks, err = loadKEKs(c)
	}
	if err != nil {
		return nil, err
	}
	v := &Vault{db: d, keks: keks, cache: map[uuid.UUID]*Keys{}}
	for _, id := range used {
		if v.find(id) == nil {
			return nil, fmt.Errorf("vault: data keys are wrapped by key-encryption key %s, but the one given is %s: restore the right one", id, keks[0].id)
		}
	}
	err = d.WithSystem(ctx, "vault", func(ctx context.Context, tx *db.Tx) (err error) {
		v.platform, err = v.load(ctx, tx, uuid.Nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	return v, nil
}

// PlatformKeys are the platform's own: staff secrets, CA keys. Their tenant is uuid.Nil.
func (v *Vault) PlatformKeys() *Keys { return v.platform }

// Keys are the tenant's, made on first use and cached. tx is a transaction of that tenant or a system one.
func (v *Vault) Keys(ctx context.Context, tx *db.Tx, tenant uuid.UUID) (*Keys, error) {
	if tenant == uuid.Nil {
		return v.platform, nil
	}
	if tx.Tenant() != uuid.Nil && tx.Tenant() != tenant {
		return nil, errors.New("vault: keys of another tenant asked for")
	}
	v.mu.RLock()
	keys := v.cache[tenant]
	v.mu.RUnlock()
	if keys != nil {
		return keys, nil
	}
	keys, err := v.load(ctx, tx, tenant)
	if err != nil {
		return nil, err
	}
	tx.AfterCommit(func() { // not before: a key made here may yet be rolled back
		v.mu.Lock()
		defer v.mu.Unlock()
		v.cache[tenant] = keys
	})
	return keys, nil
}

// Forget drops a tenant's keys from memory, after they were destroyed in the database.
func (v *Vault) Forget(tenant uuid.UUID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.cache, tenant)
}

// load reads and unwraps a data key, making it first when there is none.
func (v *Vault) load(ctx context.Context, tx *db.Tx, tenant uuid.UUID) (*Keys, error) {
	var id string
	var wrapped []byte
	const find = `SELECT kek_id, wrapped FROM tenant_keys WHERE tenant_id = $1`
	err := tx.QueryRow(ctx, find, tenant).Scan(&id, &wrapped)
	if errors.Is(err, db.ErrNoRows) {
		current := v.keks[0]
		_, err = tx.Exec(ctx, `INSERT INTO tenant_keys (tenant_id, kek_id, wrapped, created_at) VALUES ($1, $2, $3, $4)
			ON CONFLICT (tenant_id) DO NOTHING`, tenant, current.id, wrap(current, tenant, newDataKey()), tx.Now())
		if err != nil {
			return nil, fmt.Errorf("vault: make key: %w", err)
		}
		err = tx.QueryRow(ctx, find, tenant).Scan(&id, &wrapped) // ours, or that of someone a moment faster
	}
	if err != nil {
		return nil, fmt.Errorf("vault: find key: %w", err)
	}
	dek, err := v.unwrap(id, tenant, wrapped)
	if err != nil {
		return nil, err
	}
	return newKeys(tenant, dek), nil
}

func (v *Vault) unwrap(id string, tenant uuid.UUID, wrapped []byte) ([]byte, error) {
	k := v.find(id)
	if k == nil {
		return nil, fmt.Errorf("vault: key-encryption key %s is not known", id)
	}
	return unwrap(*k, tenant, wrapped)
}

func (v *Vault) find(id string) *kek {
	for i := range v.keks {
		if v.keks[i].id == id {
			return &v.keks[i]
		}
	}
	return nil
}

// Rewrap wraps every data key that an old key-encryption key wrapped with the current one, in batches, and returns how many. It may be
// interrupted and run again; afterwards the old key is not needed any more. Sealed data stays as it is.
func (v *Vault) Rewrap(ctx context.Context) (int, error) {
	total := 0
	for {
		n := 0
		err := v.db.WithSystem(ctx, "vault/rewrap", func(ctx context.Context, tx *db.Tx) (err error) {
			n, err = v.rewrapBatch(ctx, tx)
			return err
		})
		total += n
		if err != nil || n == 0 {
			return total, err
		}
	}
}

func (v *Vault) rewrapBatch(ctx context.Context, tx *db.Tx) (int, error) {
	rows, err := tx.Query(ctx, `SELECT tenant_id, kek_id, wrapped FROM tenant_keys WHERE kek_id <> $1 LIMIT 100 FOR UPDATE`, v.keks[0].id)
	if err != nil {
		return 0, fmt.Errorf("vault: rewrap: %w", err)
	}
	type held struct {
		tenant  uuid.UUID
		id      string
		wrapped []byte
	}
	var all []held
	for rows.Next() {
		var h held
		if err := rows.Scan(&h.tenant, &h.id, &h.wrapped); err != nil {
			rows.Close()
			return 0, fmt.Errorf("vault: rewrap: %w", err)
		}
		all = append(all, h)
	}
	if err := rows.Err(); err != nil {
		return 0, fmt.Errorf("vault: rewrap: %w", err)
	}
	for _, h := range all {
		dek, err := v.unwrap(h.id, h.tenant, h.wrapped)
		if err != nil {
			return 0, err
		}
		_, err = tx.Exec(ctx, `UPDATE tenant_keys SET kek_id = $2, wrapped = $3 WHERE tenant_id = $1`,
			h.tenant, v.keks[0].id, wrap(v.keks[0], h.tenant, dek))
		if err != nil {
			return 0, fmt.Errorf("vault: rewrap: %w", err)
		}
	}
	return len(all), nil
}

func usedKEKs(ctx context.Context, d *db.DB) (ids []string, err error) {
	err = d.WithSystem(ctx, "vault", func(ctx context.Context, tx *db.Tx) error {
		return tx.QueryRow(ctx, `SELECT coalesce(array_agg(DISTINCT kek_id), '{}') FROM tenant_keys`).Scan(&ids)
	})
	if err != nil {
		return nil, fmt.Errorf("vault: keys in use: %w", err)
	}
	return ids, nil
}
