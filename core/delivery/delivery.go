// Package delivery is how keys and papers travel: to the applicant, and, where a service works on the applicant's own
// key, from him.
//
// In: a finished key or a printed invoice and a carrier's waybill; or the waybill of a key the applicant sent in.
// Out: shipment rows, the order moved on, one message (outbox "order.shipped"). Serial number, order and waybill stay
// together (req K40): a waybill serves one order, or several of the same consignee.
package delivery

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/fault"
	"certsaas/core/identifier"
	"certsaas/core/order"
	"certsaas/core/rules"
	"certsaas/core/tenant"
	"certsaas/core/vault"
)

// Messages are the package's sentences.
//
//go:embed messages.*.toml
var Messages embed.FS

// Pickup is the carrier code of a hand-over at the counter.
const Pickup = "pickup"

// Purposes and directions of a shipment.
const (
	Key     = "key"
	Invoice = "invoice"
	Out     = "out" // to the applicant
	In      = "in"  // from the applicant
)

// Consignee is who receives.
type Consignee struct {
	Name    string `json:"name"`
	Mobile  string `json:"mobile"`
	Address string `json:"address"`
}

// Shipment is one thing on its way.
type Shipment struct {
	ID         uuid.UUID
	Direction  string
	Purpose    string
	Carrier    string // sf | sto | pickup
	Waybill    string
	Consignee  Consignee
	RecordedBy string
	At         time.Time
}

// TrackingURL is the carrier's page for a waybill, "" when it has none (domain §5).
func (s Shipment) TrackingURL() string {
	switch s.Carrier {
	case "sf":
		return "https://www.sf-express.com/chn/sc/waybill/waybill-detail/" + s.Waybill
	case "sto":
		return "https://www.kuaidi100.com/chaxun?com=shentong&nu=" + s.Waybill
	}
	return ""
}

// Dispatch is what the clerk types.
type Dispatch struct {
	Version   int    // of the order on his page
	Purpose   string // Key or Invoice
	Carrier   string
	Waybill   string // for Pickup: empty, the order's number is used
	Confirmed bool   // "the number looks unlike this carrier's": yes, go on
}

// Deps is what a Service stands on.
type Deps struct {
	DB     *db.DB
	Vault  *vault.Vault
	Orders *order.Service
	Rules  *rules.Engine
	Authz  *authz.Authorizer
}

// Service is the use cases of delivery.
type Service struct{ Deps }

// New makes a Service.
func New(d Deps) *Service { return &Service{d} }

// Ship records what was sent or handed over. For a key the order is completed and the applicant told once; for a paper
// invoice only the shipment is noted.
//
// Errors: fault.Invalid at "carrier", "waybill", or "confirm" (the number looks unlike the carrier's; send Confirmed);
// fault.Conflict when the page is stale.
func (s *Service) Ship(ctx context.Context, tenantID, orderID uuid.UUID, d Dispatch) (Shipment, error) {
	var sh Shipment
	err := s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		o, err := s.Orders.LoadForUpdate(ctx, tx, orderID)
		if err != nil {
			return err
		}
		if err := s.Authz.Check(ctx, authz.ShipmentCreate, o.Resource(nil)); err != nil {
			return err
		}
		if o.Version != d.Version {
			return fault.New(fault.Conflict, "order.taken")
		}
		way, err := s.ways(ctx, tx, o, d.Purpose)
		if err != nil {
			return err
		}
		if sh, err = compose(o, way, d); err != nil {
			return err
		}
		if err := s.record(ctx, tx, o.ID, &sh); err != nil {
			return err
		}
		if d.Purpose == Invoice {
			return audit.Record(ctx, tx, audit.Entry{Action: "invoice.shipped", Resource: "order/" + o.ID.String(),
				Detail: map[string]any{"carrier": sh.Carrier, "waybill": sh.Waybill}})
		}
		return s.Orders.Advance(ctx, tx, &o, order.Ship, map[string]any{"carrier": sh.Carrier, "waybill": sh.Waybill})
	})
	return sh, err
}

// ways are the carriers that may bring what is sent.
func (s *Service) ways(ctx context.Context, tx *db.Tx, o order.Order, purpose string) ([]string, error) {
	t, p, err := s.Orders.Product(ctx, o)
	if err != nil {
		return nil, err
	}
	var carriers []string
	for _, op := range p.Delivery.Options {
		carriers = append(carriers, op.Carrier)
	}
	switch purpose {
	case Key: // Advance asks for the state
		return carriers, nil
	case Invoice:
		return carriers, s.paper(ctx, tx, t, o, p)
	}
	return nil, fault.New(fault.Invalid, "delivery.purpose")
}

// paper refuses to send an invoice that is none: not wanted on paper, or not due.
func (s *Service) paper(ctx context.Context, tx *db.Tx, t *tenant.Tenant, o order.Order, p tenant.Product) error {
	facts, err := s.Orders.Facts(ctx, tx, o)
	if err != nil {
		return err
	}
	d, err := s.Rules.Invoice(ctx, t.Case(p, o.Answers, facts))
	if err != nil {
		return err
	}
	due := o.PaidAt != nil && o.ReviewedAt != nil && o.State != order.Refunding && o.State != order.Refunded
	if !due || !d.Wanted || d.Kind != "paper" {
		return fault.New(fault.Conflict, "delivery.no_paper_invoice")
	}
	return nil
}

// compose checks what was typed and makes the shipment.
func compose(o order.Order, carriers []string, d Dispatch) (Shipment, error) {
	sh := Shipment{ID: db.NewID(), Direction: Out, Purpose: d.Purpose, Carrier: d.Carrier, Consignee: consignee(o)}
	if d.Carrier == "" || !slices.Contains(carriers, d.Carrier) {
		return sh, fault.InvalidFields(fault.At("carrier", "delivery.carrier"))
	}
	if d.Carrier == Pickup {
		sh.Waybill = o.Number
		return sh, nil
	}
	return sh, waybill(&sh, d.Waybill, d.Confirmed)
}

// waybill normalises and checks a waybill: the common form is a must, the carrier's own pattern a question (domain §5).
func waybill(sh *Shipment, typed string, confirmed bool) error {
	v := identifier.Waybill(sh.Carrier, typed)
	switch {
	case strings.TrimSpace(typed) == "":
		return fault.InvalidFields(fault.At("waybill", "delivery.waybill_missing"))
	case !v.Accepted():
		return fault.InvalidFields(fault.At("waybill", "delivery.waybill_form"))
	case v.Warning() && !confirmed:
		return fault.InvalidFields(fault.At("confirm", "delivery.waybill_unlike"))
	}
	sh.Waybill = v.Value
	return nil
}

// consignee reads who receives from the answers.
func consignee(o order.Order) Consignee {
	a := o.Answers
	c := Consignee{Name: first(a["ship_name"], a["agent_name"], a["person_name"], o.Organisation()), Mobile: first(a["ship_mobile"], o.Mobile())}
	c.Address = a["ship_province"] + a["ship_city"] + a["ship_county"] + a["ship_street"]
	return c
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// record stores a shipment, refusing a waybill that another consignee's order used.
func (s *Service) record(ctx context.Context, tx *db.Tx, orderID uuid.UUID, sh *Shipment) error {
	keys, err := s.Vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return err
	}
	who, err := json.Marshal(sh.Consignee)
	if err != nil {
		return fmt.Errorf("delivery: consignee: %w", err)
	}
	index := keys.Index("consignee", strings.Join([]string{sh.Consignee.Name, sh.Consignee.Mobile, sh.Consignee.Address}, "\x1f"))
	if sh.Carrier != Pickup {
		// two clerks with the same number wait for each other here
		_, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('waybill/' || $1 || '/' || $2 || '/' || $3, 0))`,
			tx.Tenant().String(), sh.Carrier, sh.Waybill)
		if err != nil {
			return fmt.Errorf("delivery: waybill: %w", err)
		}
		if err := unused(ctx, tx, orderID, *sh, index); err != nil {
			return err
		}
	}
	sh.At, sh.RecordedBy = tx.Now(), authz.From(ctx).Name
	_, err = tx.Exec(ctx, `INSERT INTO shipments (tenant_id, id, order_id, direction, purpose, carrier, waybill, consignee_index,
		consignee_sealed, recorded_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (tenant_id, id) DO UPDATE SET carrier = $6, waybill = $7, consignee_index = $8, consignee_sealed = $9,
		recorded_by = $10, created_at = $11`,
		tx.Tenant(), sh.ID, orderID, sh.Direction, sh.Purpose, sh.Carrier, sh.Waybill, index,
		keys.Seal("shipments.consignee", sh.ID, who), sh.RecordedBy, sh.At)
	if err != nil {
		return fmt.Errorf("delivery: insert: %w", err)
	}
	return nil
}

func unused(ctx context.Context, tx *db.Tx, orderID uuid.UUID, sh Shipment, consignee []byte) error {
	var taken bool
	err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT FROM shipments WHERE tenant_id = $1 AND carrier = $2 AND waybill = $3
		AND order_id <> $4 AND consignee_index <> $5)`, tx.Tenant(), sh.Carrier, sh.Waybill, orderID, consignee).Scan(&taken)
	if err != nil {
		return fmt.Errorf("delivery: waybill: %w", err)
	}
	if taken {
		return fault.InvalidFields(fault.At("waybill", "delivery.waybill_taken"))
	}
	return nil
}

// carrierCode is a courier's code as a form gives it.
var carrierCode = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,15}$`)

// SendIn notes the waybill under which the applicant sends his key in. Until staff receive the key he may correct it; the
// audit holds what he typed before.
//
// Errors: fault.Invalid at "carrier" or "waybill"; fault.Conflict when the order does not wait for a key.
func (s *Service) SendIn(ctx context.Context, tenantID, orderID uuid.UUID, carrier, number string) (Shipment, error) {
	var sh Shipment
	err := s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		o, err := s.Orders.LoadForUpdate(ctx, tx, orderID)
		if err != nil {
			return err
		}
		if err := s.Authz.Check(ctx, authz.OrderEdit, o.Resource(nil)); err != nil {
			return err
		}
		if o.State != order.AwaitingKey {
			return fault.New(fault.Conflict, "order.not_now", "State", string(o.State), "Event", "send_in")
		}
		if !carrierCode.MatchString(carrier) || carrier == Pickup {
			return fault.InvalidFields(fault.At("carrier", "delivery.carrier"))
		}
		sh = Shipment{ID: db.NewID(), Direction: In, Purpose: Key, Carrier: carrier, Consignee: consignee(o)}
		if err := waybill(&sh, number, true); err != nil {
			return err
		}
		err = tx.QueryRow(ctx, `SELECT id FROM shipments WHERE tenant_id = $1 AND order_id = $2 AND direction = 'in' AND purpose = 'key'`,
			tx.Tenant(), o.ID).Scan(&sh.ID)
		if err != nil && !errors.Is(err, db.ErrNoRows) {
			return fmt.Errorf("delivery: sent in: %w", err)
		}
		if err := s.record(ctx, tx, o.ID, &sh); err != nil {
			return err
		}
		return audit.Record(ctx, tx, audit.Entry{Action: "key.sent_in", Resource: "order/" + o.ID.String(),
			Detail: map[string]any{"carrier": sh.Carrier, "waybill": sh.Waybill}})
	})
	return sh, err
}

// maxSerial is the longest serial number of a key.
const maxSerial = 64

// ReceiveKey notes that the applicant's key arrived; production can begin.
func (s *Service) ReceiveKey(ctx context.Context, tenantID, orderID uuid.UUID, version int, tokenSerial string) error {
	return s.DB.WithTenant(ctx, tenantID, func(ctx context.Context, tx *db.Tx) error {
		o, err := s.Orders.LoadForUpdate(ctx, tx, orderID)
		if err != nil {
			return err
		}
		if o.Version != version {
			return fault.New(fault.Conflict, "order.taken")
		}
		if tokenSerial = strings.TrimSpace(tokenSerial); len(tokenSerial) > maxSerial {
			return fault.InvalidFields(fault.At("token_serial", "delivery.token_serial"))
		}
		if tokenSerial != "" {
			_, err := tx.Exec(ctx, `UPDATE order_items SET token_serial = $3 WHERE tenant_id = $1 AND order_id = $2 AND seq = 1`,
				tx.Tenant(), o.ID, tokenSerial)
			if err != nil {
				return fmt.Errorf("delivery: token serial: %w", err)
			}
		}
		return s.Orders.Advance(ctx, tx, &o, order.ReceiveKey, nil)
	})
}

// List reads an order's shipments, oldest first.
func (s *Service) List(ctx context.Context, tx *db.Tx, orderID uuid.UUID) ([]Shipment, error) {
	keys, err := s.Vault.Keys(ctx, tx, tx.Tenant())
	if err != nil {
		return nil, err
	}
	rows, err := tx.Query(ctx, `SELECT id, direction, purpose, carrier, waybill, consignee_sealed, recorded_by, created_at
		FROM shipments WHERE tenant_id = $1 AND order_id = $2 ORDER BY created_at`, tx.Tenant(), orderID)
	if err != nil {
		return nil, fmt.Errorf("delivery: list: %w", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Shipment, error) {
		var sh Shipment
		var sealed []byte
		if err := row.Scan(&sh.ID, &sh.Direction, &sh.Purpose, &sh.Carrier, &sh.Waybill, &sealed, &sh.RecordedBy, &sh.At); err != nil {
			return sh, err
		}
		plain, err := keys.Open("shipments.consignee", sh.ID, sealed)
		if err != nil {
			return sh, err
		}
		return sh, json.Unmarshal(plain, &sh.Consignee)
	})
	if err != nil {
		return nil, fmt.Errorf("delivery: list: %w", err)
	}
	return list, nil
}

// Address is where an order's things go, and by which of the product's ways.
func Address(o order.Order, p tenant.Product) (Consignee, rules.DeliveryOption) {
	for _, op := range p.Delivery.Options {
		if op.Code == o.Answers["carrier"] {
			return consignee(o), op
		}
	}
	return consignee(o), rules.DeliveryOption{}
}
