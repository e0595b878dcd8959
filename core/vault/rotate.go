package vault

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"certsaas/core/db"

	"github.com/google/uuid"
)

// rotationLock is the advisory lock between those who make data keys (shared) and a rotation.
const rotationLock = 0x6b656b // "kek"

// Rotation is a change of the key-encryption key.
type Rotation struct {
	To        string // id of the current key
	Rewrapped int    // data keys that this run wrapped anew
	Retired   string // file that the key before was put into, when its file is ours
}

// Rewrapped is one tenant's data key that changed its wrapping. Tenant is uuid.Nil for the platform's own.
type Rewrapped struct {
	Tenant   uuid.UUID
	From, To string // ids of key-encryption keys
}

// ErrOneKEK says that the variable names no new key to rotate to.
var ErrOneKEK = errors.New("vault: the key-encryption key stands in CERTSAAS_VAULT_KEK: put a new one (64 hexadecimal digits) and a comma before it, " +
	"restart every process, run this again, and take the old one away afterwards")

// Rotate goes to a new key-encryption key while other processes serve. Data keys are wrapped anew one by one, each in a
// transaction of its own in which record notes it; what they sealed stays as it is. A run that was interrupted is finished by the next. The
// key in DATA_DIR/keys/kek is made by us, written before it is used, and the one before is put aside when nothing needs it; serving processes of
// this machine find the new one by themselves. A key in the variable is the operator's: ErrOneKEK when there is no new one.
func (v *Vault) Rotate(ctx context.Context, record func(ctx context.Context, tx *db.Tx, r Rewrapped) error) (Rotation, error) {
	path := kekPath(v.config)
	if v.config.KEK == "" {
		lock, err := claim(path)
		if err != nil {
			return Rotation{}, err
		}
		defer lock.Close()
		if err := v.begin(path); err != nil {
			return Rotation{}, err
		}
	} else if len(v.known()) == 1 {
		return Rotation{}, ErrOneKEK
	}
	out := Rotation{To: v.known()[0].id}
	for {
		done, err := v.rewrapOne(ctx, record)
		if err != nil {
			return out, err
		}
		if done {
			break
		}
		out.Rewrapped++
	}
	if v.config.KEK != "" {
		return out, nil
	}
	var err error
	out.Retired, err = v.retire(path)
	return out, err
}

// claim sees to it that one rotation runs at a time on this machine.
func claim(path string) (*os.File, error) {
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("vault: another rotation runs: %w", err)
	}
	return lock, nil
}

// begin writes a new key before the present one; two keys in the file are a rotation that was interrupted.
func (v *Vault) begin(path string) error {
	keks, err := v.reload()
	if err != nil || len(keks) > 1 {
		return err
	}
	if err := replaceKEKs(path, append([]kek{newKEK()}, keks...)); err != nil {
		return err
	}
	_, err = v.reload()
	return err
}

// retire puts the keys that wrapped nothing any more aside: backups made before now need them.
func (v *Vault) retire(path string) (string, error) {
	keks := v.known()
	old := ""
	for _, k := range keks[1:] {
		old = filepath.Join(filepath.Dir(path), "kek-"+k.id)
		if err := replaceKEKs(old, []kek{k}); err != nil {
			return "", err
		}
	}
	if err := replaceKEKs(path, keks[:1]); err != nil {
		return "", err
	}
	_, err := v.reload()
	return old, err
}

// rewrapOne wraps one data key anew and tells whether there was none left. Nobody makes a data key meanwhile, so that none left
// means that all to come are wrapped by the current key.
func (v *Vault) rewrapOne(ctx context.Context, record func(ctx context.Context, tx *db.Tx, r Rewrapped) error) (done bool, err error) {
	current := v.known()[0]
	err = v.db.WithSystem(ctx, "vault/rotate", func(ctx context.Context, tx *db.Tx) error {
		if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, rotationLock); err != nil {
			return fmt.Errorf("vault: rotate: %w", err)
		}
		r := Rewrapped{To: current.id}
		var wrapped []byte
		err := tx.QueryRow(ctx, `SELECT tenant_id, kek_id, wrapped FROM tenant_keys WHERE kek_id <> $1 LIMIT 1 FOR UPDATE`, current.id).Scan(&r.Tenant, &r.From, &wrapped)
		if done = errors.Is(err, db.ErrNoRows); done {
			return nil
		}
		if err != nil {
			return fmt.Errorf("vault: rotate: %w", err)
		}
		dek, err := v.unwrap(r.From, r.Tenant, wrapped)
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE tenant_keys SET kek_id = $2, wrapped = $3 WHERE tenant_id = $1`, r.Tenant, current.id, wrap(current, r.Tenant, dek)); err != nil {
			return fmt.Errorf("vault: rotate: %w", err)
		}
		return record(ctx, tx, r)
	})
	return done, err
}

// Generations are the key-encryption keys in use.
type Generations struct {
	Current string         // wraps new data keys
	Given   int            // keys in the file or the variable
	Old     map[string]int // data keys still wrapped by another, by its id
}

// Generations looks at how far a rotation is.
func (v *Vault) Generations(ctx context.Context) (Generations, error) {
	keks := v.known()
	g := Generations{Current: keks[0].id, Given: len(keks), Old: map[string]int{}}
	err := v.db.WithSystem(ctx, "vault", func(ctx context.Context, tx *db.Tx) error {
		return tx.QueryRow(ctx, `SELECT coalesce(jsonb_object_agg(kek_id, n), '{}') FROM (
			SELECT kek_id, count(*) n FROM tenant_keys WHERE kek_id <> $1 GROUP BY kek_id) old`, g.Current).Scan(&g.Old)
	})
	if err != nil {
		return g, fmt.Errorf("vault: generations: %w", err)
	}
	return g, nil
}
