// Package platform puts the slices of the business together into one running whole.
//
// In: an open database, a data directory, the public address. Out: every service wired to what lies left of it, the
// outbox's handlers, and the hosts. Portal, console and scheduler take what they need from here; nothing here decides
// anything.
package platform

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/google/uuid"

	"certsaas/config"
	"certsaas/core/account"
	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/blob"
	"certsaas/core/channel"
	"certsaas/core/clock"
	"certsaas/core/db"
	"certsaas/core/delivery"
	"certsaas/core/i18n"
	"certsaas/core/invoice"
	"certsaas/core/issuance"
	"certsaas/core/letter"
	"certsaas/core/material"
	"certsaas/core/notify"
	"certsaas/core/order"
	"certsaas/core/outbox"
	"certsaas/core/overdue"
	"certsaas/core/payment"
	"certsaas/core/payment/demopay"
	"certsaas/core/reminder"
	"certsaas/core/review"
	"certsaas/core/rules"
	"certsaas/core/staff"
	"certsaas/core/tenant"
	"certsaas/core/vault"
)

// Options say what a platform stands on.
type Options struct {
	DB        *db.DB
	DataDir   string
	Clock     clock.Clock
	Config    config.Config    // public address, vault
	CreateKEK bool             // make the key-encryption key at the first start
	Demo      bool             // local payment provider, messages into a file
	Sender    channel.Sender   // how messages leave; with Demo nil means DataDir/messages.jsonl
	Gateways  payment.Gateways // with Demo nil means the demonstration provider
	Bundle    *i18n.Bundle
	Hooks     *payment.Hooks // tests only
}

// Platform is every service of the business, wired.
type Platform struct {
	Options
	Vault     *vault.Vault
	Authz     *authz.Authorizer
	Calendar  *clock.Calendar
	Tenants   *tenant.Registry
	Releases  *tenant.Store
	Sites     *Sites
	Rules     *rules.Engine
	Accounts  *account.Service
	Staff     *staff.Service
	Orders    *order.Service
	Materials *material.Service
	Letters   *letter.Service
	Payments  *payment.Service
	Reviews   *review.Service
	CA        *issuance.Local
	Issuance  *issuance.Service
	Delivery  *delivery.Service
	Invoices  *invoice.Service
	Notify    *notify.Service
	Reminders *reminder.Service
	Overdue   *overdue.Service
	Outbox    *outbox.Worker
	Sealer    *audit.Sealer
	DemoPay   *demopay.Provider // nil without Demo
}

// operator runs the platform; its own CA bears the name, marked in a demonstration.
const operator = "北京天威诚信电子商务服务有限公司"

// Open wires a platform. The database must be migrated.
func Open(ctx context.Context, o Options) (*Platform, error) {
	p := &Platform{Options: o, Calendar: clock.China()}
	var err error
	if p.Vault, err = vault.Open(ctx, vault.Config{DataDir: o.DataDir, KEK: o.Config.Vault.KEK, Create: o.CreateKEK}, o.DB); err != nil {
		return nil, err
	}
	if p.Authz, err = authz.New(ctx); err != nil {
		return nil, err
	}
	if p.Rules, err = rules.New(); err != nil {
		return nil, err
	}
	p.Tenants = tenant.NewRegistry(o.DB, o.Clock, o.Config.Web.BaseDomain)
	p.Releases = tenant.NewStore(o.DB, p.Authz, p.Tenants)
	if p.Sites, err = newSites(o.Config, p.Tenants); err != nil {
		return nil, err
	}
	if err := p.outside(); err != nil {
		return nil, err
	}
	p.Orders = order.New(order.Deps{DB: o.DB, Vault: p.Vault, Tenants: p.Tenants, Rules: p.Rules, Authz: p.Authz, Calendar: p.Calendar})
	p.Accounts = account.New(account.Deps{DB: o.DB, Vault: p.Vault, Sender: p.Sender, Texts: o.Bundle})
	p.Staff = staff.New(staff.Deps{DB: o.DB, Vault: p.Vault, Authz: p.Authz})
	if err := p.documents(ctx); err != nil {
		return nil, err
	}
	p.Payments = payment.New(payment.Deps{DB: o.DB, Vault: p.Vault, Orders: p.Orders, Authz: p.Authz, Gateways: p.Gateways,
		NotifyURL: func(t *tenant.Tenant, channel string) string { return p.Sites.Portal(t) + "/notify/" + channel }, Hooks: o.Hooks})
	p.Reviews = review.New(review.Deps{DB: o.DB, Vault: p.Vault, Orders: p.Orders, Rules: p.Rules})
	if err := p.certificates(ctx); err != nil {
		return nil, err
	}
	p.Delivery = delivery.New(delivery.Deps{DB: o.DB, Vault: p.Vault, Orders: p.Orders, Rules: p.Rules, Authz: p.Authz})
	p.Invoices = invoice.New(invoice.Deps{DB: o.DB, Vault: p.Vault, Orders: p.Orders, Rules: p.Rules, Authz: p.Authz, Materials: p.Materials})
	p.messages()
	p.Sealer = audit.NewSealer(audit.SealerConfig{DB: o.DB, Keys: audit.NewKeys(p.Vault.PlatformKeys()), CheckpointFile: p.CheckpointFile()})
	return p, nil
}

// CheckpointFile is where audit checkpoints are kept outside the database.
func (p *Platform) CheckpointFile() string {
	return filepath.Join(p.DataDir, "audit-checkpoints.jsonl")
}

// outside opens the outside parties: those of the configuration, or the demonstration's own. A command that neither
// sends nor takes money does without; serving without them is refused by Equipped.
func (p *Platform) outside() (err error) {
	if p.Gateways == nil {
		if p.Gateways, err = merchantGateways(p.Config, p.Clock); err != nil {
			return err
		}
	}
	if p.Demo {
		if err := p.demoParties(); err != nil {
			return err
		}
	}
	if p.Gateways == nil {
		p.Gateways = payment.GatewaysFunc(func(uuid.UUID, string) (payment.Gateway, bool) { return nil, false })
	}
	return nil
}

// demoParties opens the demonstration's payment company and message file where nothing else is given.
func (p *Platform) demoParties() error {
	provider, err := demopay.Open(demopay.Options{Dir: filepath.Join(p.DataDir, "demopay"), BaseURL: p.Sites.Platform(), Clock: p.Clock})
	if err != nil {
		return err
	}
	p.DemoPay = provider
	if p.Gateways == nil {
		p.Gateways = provider.Gateways()
	}
	if p.Sender == nil {
		if p.Sender, err = channel.NewFile(p.MessagesFile(), p.Clock); err != nil {
			return fmt.Errorf("platform: messages: %w", err)
		}
	}
	return nil
}

// Equipped refuses to serve applicants without a way to send them codes.
func (p *Platform) Equipped() error {
	if p.Sender == nil {
		return errors.New("no way to send messages is configured: set sms.… or mail.…, or serve with --demo")
	}
	return nil
}

// MessagesFile is where the demonstration's SMS and e-mails arrive.
func (p *Platform) MessagesFile() string { return filepath.Join(p.DataDir, "messages.jsonl") }

// documents wires pictures and letters, and what they ask of an order that is handed in.
func (p *Platform) documents(ctx context.Context) error {
	store, err := blob.OpenLocal(filepath.Join(p.DataDir, "blobs"))
	if err != nil {
		return err
	}
	p.Materials = material.New(material.Deps{DB: p.DB, Vault: p.Vault, Blobs: store, Orders: p.Orders, Authz: p.Authz})
	p.Materials.Register(p.Orders)
	key, err := p.Vault.SigningKey(ctx, "letter")
	if err != nil {
		return err
	}
	p.Letters = letter.New(letter.Deps{DB: p.DB, Vault: p.Vault, Orders: p.Orders, Authz: p.Authz, Key: key, Site: p.Sites.Portal})
	p.Letters.Register(p.Orders, p.Materials)
	return nil
}

// certificates opens the platform's CA and wires issuance; what it knows of old keys goes into prices and eligibility.
func (p *Platform) certificates(ctx context.Context) error {
	name, since := operator, p.Clock.Now().Add(-5*time.Minute)
	if p.Demo {
		name, since = operator+"（演示CA）", since.AddDate(-2, 0, 0)
	}
	var err error
	if p.CA, err = issuance.OpenLocal(ctx, p.DB, p.Vault, name, p.Sites.Plain(), since); err != nil {
		return err
	}
	key, err := p.Vault.SigningKey(ctx, "keyagent")
	if err != nil {
		return err
	}
	p.Issuance = issuance.New(issuance.Deps{DB: p.DB, Vault: p.Vault, Orders: p.Orders, Tenants: p.Tenants, Authz: p.Authz, CA: p.CA,
		Key: key, Issuer: p.Sites.Platform(), Plain: p.Sites.Plain()})
	p.Orders.LearnFrom(p.Issuance.OldKey, "old_key", "old_key_late")
	return nil
}

// messages wires what follows from an order's steps: told by the outbox, each handler may be called again and does its work once.
func (p *Platform) messages() {
	p.Notify = notify.New(notify.Deps{DB: p.DB, Vault: p.Vault, Orders: p.Orders, Reviews: p.Reviews,
		Shipments: p.Delivery, Texts: p.Bundle, Sender: p.Sender, Site: p.Sites.Portal})
	p.Reminders = reminder.New(reminder.Deps{DB: p.DB, Clock: p.Clock, Vault: p.Vault, Authz: p.Authz, Calendar: p.Calendar, Tenants: p.Tenants, Accounts: p.Accounts,
		Orders: p.Orders, Materials: p.Materials, Issuance: p.Issuance, Notify: p.Notify, Texts: p.Bundle, Site: p.Sites.Portal})
	p.Overdue = overdue.New(overdue.Deps{DB: p.DB, Authz: p.Authz, Calendar: p.Calendar, Tenants: p.Tenants, Sender: p.Sender, Texts: p.Bundle, Console: p.Sites.Console()})
	follow := map[string][]func(context.Context, uuid.UUID, uuid.UUID) error{
		"order.submit":   {p.Reviews.Automatic},
		"order.resubmit": {p.Reviews.Automatic},
		"order.paid":     {p.Reviews.Automatic, p.Issuance.Approved, p.Invoices.Request},
		"order.approve":  {p.Issuance.Approved, p.Invoices.Request},
		"order.keep":     {p.Invoices.Request},
		"order.refunded": {p.Invoices.Withdraw},
	}
	p.Outbox = &outbox.Worker{DB: p.DB, Handlers: map[string]outbox.Handler{"": func(ctx context.Context, it outbox.Item) error {
		for _, f := range follow[it.Kind] {
			if err := f(ctx, it.Tenant, it.Ref); err != nil {
				return fmt.Errorf("platform: %s: %w", it.Kind, err)
			}
		}
		return p.Notify.Handle(ctx, it)
	}}}
}
