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
	config   Config
	platform *Keys
	mu       sync.RWMutex
	keks     []kek // current first
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
	v := &Vault{db: d, config: c, keks: keks, cache: map[uuid.UUID]*Keys{}}
	for _, id := range used {
		if find(keks, id) == nil {
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
		var current kek
		if current, err = v.newest(ctx, tx); err != nil {
			return nil, err
		}
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

// unwrap opens a data key. A key-encryption key that is not known may be newer than this process: it is looked for once more.
func (v *Vault) unwrap(id string, tenant uuid.UUID, wrapped []byte) ([]byte, error) {
	k := find(v.known(), id)
	if k == nil {
		keks, err := v.reload()
		if err != nil {
			return nil, err
		}
		if k = find(keks, id); k == nil {
			return nil, fmt.Errorf("vault: key-encryption key %s is not known", id)
		}
	}
	return unwrap(*k, tenant, wrapped)
}

// newest is the key-encryption key that a new data key is wrapped by: the current one now, not the one of this process's
// start. A rotation waits until tx has ended, so that it finds what was wrapped by the key before.
func (v *Vault) newest(ctx context.Context, tx *db.Tx) (kek, error) {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock_shared($1)`, rotationLock); err != nil {
		return kek{}, fmt.Errorf("vault: make key: %w", err)
	}
	keks, err := v.reload()
	if err != nil {
		return kek{}, err
	}
	return keks[0], nil
}

func (v *Vault) known() []kek {
	v.mu.RLock()
	defer v.mu.RUnlock()
	return v.keks
}

// reload reads the key-encryption keys again: a rotation may have begun.
func (v *Vault) reload() ([]kek, error) {
	keks, err := loadKEKs(v.config)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.keks = keks
	return keks, nil
}

func find(keks []kek, id string) *kek {
	for i := range keks {
		if keks[i].id == id {
			return &keks[i]
		}
	}
	return nil
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
