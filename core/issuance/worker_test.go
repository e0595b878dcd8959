package issuance_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"certsaas/config"
	"certsaas/core/authz"
	"certsaas/core/channel"
	"certsaas/core/clock"
	"certsaas/core/coretest"
	"certsaas/core/db"
	"certsaas/core/issuance"
	"certsaas/core/platform"
	"certsaas/core/platform/platformtest"
	"certsaas/core/token"
	"certsaas/core/token/softtoken"
	"certsaas/core/token/ticket"
)

// workerPIN is that of the tests' keys.
const workerPIN = "12345678"

// worker is the whole platform and the keys of sixteen hands, in a process that somebody will kill.
type worker struct {
	*platform.Platform
	driver *softtoken.Driver
	tenant uuid.UUID
	said   sync.Mutex // standard output
}

// work writes a certificate for every item that has none, and tells on standard output what is done; it does not return
// before all are.
func work(ctx context.Context, address string) error {
	w, ctx, err := openWorker(ctx, address)
	if err != nil {
		return err
	}
	items, err := w.waiting(ctx)
	if err != nil {
		return err
	}
	var group sync.WaitGroup
	errs := make([]error, hands)
	for hand := range hands {
		serial, _, err := w.driver.Ensure(fmt.Sprintf("HAND-%d", hand), workerPIN)
		if err != nil {
			return err
		}
		group.Go(func() { errs[hand] = w.hand(ctx, serial, hand, items) })
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	os.Exit(0)
	return nil
}

// openWorker wires the platform over the test's database and data directory.
func openWorker(ctx context.Context, address string) (*worker, context.Context, error) {
	ahead, err := time.ParseDuration(os.Getenv(workerClock))
	if err != nil {
		return nil, nil, err
	}
	clk := clock.NewShifted(clock.System())
	clk.SetNow(time.Now().Add(ahead))
	d, err := coretest.Connect(ctx, address, clk)
	if err != nil {
		return nil, nil, err
	}
	bundle, err := platform.Sentences()
	if err != nil {
		return nil, nil, err
	}
	w := &worker{}
	w.Platform, err = platform.Open(ctx, platform.Options{DB: d, DataDir: os.Getenv(workerData), Clock: clk, Config: config.Default(), Demo: true, Sender: &channel.Recording{}, Bundle: bundle})
	if err != nil {
		return nil, nil, err
	}
	tenant, account, _ := strings.Cut(os.Getenv(workerDealer), " ")
	w.tenant = uuid.MustParse(tenant)
	ctx = authz.WithPrincipal(ctx, authz.Principal{Kind: authz.Dealer, ID: uuid.MustParse(account), Name: "演示", Tenant: w.tenant})
	w.driver, err = softtoken.Open(tokenDir(os.Getenv(workerTokens)))
	return w, ctx, err
}

// waiting are the items that are not done, in an order that every worker sees alike.
func (w *worker) waiting(ctx context.Context) (items []uuid.UUID, err error) {
	err = w.DB.WithTenant(ctx, w.tenant, func(ctx context.Context, tx *db.Tx) error {
		rows, err := tx.Query(ctx, `SELECT id FROM order_items WHERE tenant_id = $1 AND state <> 'done' ORDER BY id`, tx.Tenant())
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id uuid.UUID
			if err := rows.Scan(&id); err != nil {
				return err
			}
			items = append(items, id)
		}
		return rows.Err()
	})
	return items, err
}

// hand writes the items that are its own into its key.
func (w *worker) hand(ctx context.Context, serial string, hand int, items []uuid.UUID) error {
	t, err := w.driver.Open(serial)
	if err != nil {
		return err
	}
	defer t.Close()
	if err := t.Login(workerPIN); err != nil {
		return err
	}
	for _, item := range items {
		if int(item[15])%hands != hand {
			continue
		}
		if err := w.write(ctx, t, serial, item); err != nil {
			return fmt.Errorf("item %s: %w", item, err)
		}
	}
	return nil
}

// write does what page and key agent do for one item, going on where a killed worker stopped.
func (w *worker) write(ctx context.Context, t token.Token, serial string, item uuid.UUID) error {
	id := keyID(item)
	if err := makeKey(t, id); err != nil {
		return err
	}
	csr, err := token.CreateCSR(t, id, "")
	if err != nil {
		return err
	}
	a, err := w.Issuance.Authorise(ctx, w.tenant, item, platformtest.Origin)
	if err != nil {
		return err
	}
	e, err := w.Issuance.Enroll(ctx, w.tenant, item, issuance.Enrollment{Ticket: a.Ticket, Origin: platformtest.Origin, CSR: csr, TokenSerial: serial + "-" + item.String()[24:]})
	if err != nil {
		return err
	}
	if err := t.InstallCertificate(id, "key", e.Certificate.DER()); err != nil {
		return err
	}
	proof, err := token.SignMessage(t, id, ticket.ProofMessage(platformtest.Origin, a.Nonce))
	if err != nil {
		return err
	}
	if _, err := w.Issuance.Confirm(ctx, w.tenant, item, a.Ticket, platformtest.Origin, proof); err != nil {
		return err
	}
	w.said.Lock()
	fmt.Println(item, e.Certificate.Serial())
	w.said.Unlock()
	return t.DeleteContainer(id) // keeps a key from filling up; what it proved is proved
}

// makeKey finds the pair that a killed worker made, or makes one; half a pair is thrown away.
func makeKey(t token.Token, id []byte) error {
	c, found, err := token.Find(t, id)
	if err != nil {
		return err
	}
	if found && c.HasPrivate && c.Public != nil {
		return nil
	}
	if found {
		if err := t.DeleteContainer(id); err != nil {
			return err
		}
	}
	_, err = t.GenerateKeyPair(token.P256, id, "key")
	return err
}
