package authz

import (
	"bytes"
	"compress/flate"
	"crypto/sha256"
	_ "embed" // table.bin
	"fmt"
	"io"
	"slices"

	"github.com/google/uuid"
)

// The policy tells apart a finite number of questions: the caller's kind, roles and tenant, the action, and how the resource
// relates to the caller. table.bin holds its decision for each of them, one byte a cell, asked of OPA beforehand:
//
//	go test ./core/authz -run TestTable -update
//
// It counts for the policy it was made from only; with another one, and for a question outside the classes, OPA is asked.
//
//go:embed table.bin
var tableFile []byte

// Cells per action, by kind of caller, in the order they lie in the table. What a kind's cells do not distinguish makes no
// difference to the policy: TestTableIgnores shows it.
const (
	anonymousCells = 2 * 2 * 2 * 2 * 2 // owner (none, somebody) × route × draft × visitor × order_first
	dealerCells    = 2 * 3 * 2 * 2 * 2 // tenant (own, foreign) × owner (none, caller, other) × route × draft × visitor
	systemCells    = 1
	staffCells     = 64 * 3 * 2 * 2 * 2 // set of roles × tenant (any, own, foreign) × route × voucher × separated

	dealerBase  = anonymousCells
	systemBase  = dealerBase + dealerCells
	staffBase   = systemBase + systemCells
	actionCells = staffBase + staffCells
)

// A cell is 1 (allowed) plus 2 × the reason plus 8 × the rule.
var (
	cellReasons = []string{"allowed", "denied", "login", "hidden"}
	cellRules   = []string{"none", "visitor", "dealer", "staff", "system"}
)

// table is the decisions, and where an action's begin.
type table struct {
	cells   []byte
	actions map[string]int
	known   []decision // by cell value
}

// openTable reads the embedded table; nil when it was made from another policy.
func openTable(hash string) (*table, error) {
	sum := fingerprint(hash)
	if len(tableFile) < len(sum) || !bytes.Equal(tableFile[:len(sum)], sum) {
		return nil, nil
	}
	cells, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(tableFile[len(sum):])), 1<<20))
	if err != nil {
		return nil, fmt.Errorf("authz: table: %w", err)
	}
	return newTable(cells)
}

func newTable(cells []byte) (*table, error) {
	t := &table{cells: cells, actions: map[string]int{}}
	for i, a := range Actions() {
		t.actions[a] = i * actionCells
	}
	if len(cells) != len(t.actions)*actionCells {
		return nil, fmt.Errorf("authz: table of %d cells", len(cells))
	}
	t.known = make([]decision, 8*len(cellRules))
	for i := range t.known {
		t.known[i] = decision{Allow: i&1 == 1, Reason: cellReasons[i>>1&3], Rule: cellRules[i>>3]}
	}
	if worst := int(slices.Max(cells)); worst >= len(t.known) {
		return nil, fmt.Errorf("authz: table with a cell of value %d", worst)
	}
	return t, nil
}

// fingerprint ties a table to its policy, and to the lists whose order is the table's layout.
func fingerprint(hash string) []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "2 %s %q %q %q %q", hash, Actions(), Roles(), cellReasons, cellRules))
	return sum[:]
}

// decide is the policy's decision when the question is one of the table's.
func (t *table) decide(p Principal, action string, res Resource) (decision, bool) {
	base, ok := t.actions[action]
	if !ok {
		return decision{}, false
	}
	cell, ok := cellOf(p, res)
	if !ok {
		return decision{}, false
	}
	return t.known[t.cells[base+cell]], true
}

// cellOf is the class of a question, apart from its action. False for anything unusual: a dealer with roles, a visitor with an
// id, a role nobody knows, a detail of the resource that the policy does not know or of another type than it expects.
func cellOf(p Principal, res Resource) (int, bool) {
	extra, ok := detailsOf(p, res)
	if !ok {
		return 0, false
	}
	route := bit(res.Kind == routeKind)
	draft := route<<1 | bit(res.State == "draft")
	switch p.Kind {
	case Anonymous:
		plain := p.ID == uuid.Nil && p.Tenant == uuid.Nil && len(p.Roles) == 0
		return (bit(res.Owner != uuid.Nil)<<2|draft)<<2 | bit(extra.visitor)<<1 | bit(extra.orderFirst), plain
	case Dealer:
		plain := p.ID != uuid.Nil && p.Tenant != uuid.Nil && len(p.Roles) == 0
		owner := 0
		if res.Owner != uuid.Nil {
			owner = 2 - bit(res.Owner == p.ID)
		}
		return dealerBase + ((bit(res.Tenant != p.Tenant)*3+owner)<<2|draft)<<1 + bit(extra.visitor), plain
	case SystemKind:
		return systemBase, p.Name != "" && p.ID == uuid.Nil && p.Tenant == uuid.Nil && len(p.Roles) == 0
	case Staff:
		roles, plain := roleSet(p.Roles)
		tenant := 0
		if p.Tenant != uuid.Nil {
			tenant = 1 + bit(res.Tenant != p.Tenant)
		}
		return staffBase + (((roles*3+tenant)<<1|route)<<1|bit(extra.voucher))<<1 + bit(extra.separated), plain && p.ID != uuid.Nil
	}
	return 0, false
}

// details are what the policy knows of Resource.Extra.
type details struct{ visitor, orderFirst, voucher, separated bool }

func detailsOf(p Principal, res Resource) (d details, ok bool) {
	for key, value := range res.Extra {
		ok = false
		switch key {
		case "visitor":
			d.visitor, ok = value.(bool)
		case "order_first":
			d.orderFirst, ok = value.(bool)
		case "purpose":
			var s string
			s, ok = value.(string)
			d.voucher = s == "voucher"
		case "reviewer", "requester":
			var s string
			s, ok = value.(string)
			d.separated = d.separated || s == text(p.ID)
		}
		if !ok {
			return details{}, false
		}
	}
	return d, true
}

// roleSet is a set of known roles, a bit each.
func roleSet(roles []string) (set int, ok bool) {
	for _, r := range roles {
		i := roleBit(r)
		if i < 0 {
			return 0, false
		}
		set |= 1 << i
	}
	return set, true
}

// roleBit is the place of a role in Roles, which would allocate on each call; −1 for another.
func roleBit(role string) int {
	switch role {
	case RoleAdmin:
		return 0
	case RoleOnboarding:
		return 1
	case RoleReviewer:
		return 2
	case RoleFinance:
		return 3
	case RoleProducer:
		return 4
	case RoleAuditor:
		return 5
	}
	return -1
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
