package order

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"certsaas/core/authz"
	"certsaas/core/i18n"
)

var update = flag.Bool("update", false, "rewrite golden files")

// diagram draws the edge table for readers; the README shows the same picture.
func diagram() string {
	var b strings.Builder
	b.WriteString("stateDiagram-v2\n    [*] --> draft\n")
	for _, e := range Edges() {
		label := string(e.Event)
		if e.Guard.Name != "" {
			label += " [" + e.Guard.Name + "]"
		}
		fmt.Fprintf(&b, "    %s --> %s: %s\n", e.From, e.To, label)
	}
	for _, s := range States() {
		if s.Final() {
			fmt.Fprintf(&b, "    %s --> [*]\n", s)
		}
	}
	return b.String()
}

func TestDiagram(t *testing.T) {
	t.Parallel()
	const file = "testdata/order_states.mmd"
	got := diagram()
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), got); d != "" {
		t.Errorf("the picture of the states is old, run with -update:\n%s", d)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(readme), "```mermaid\n"+got+"```") {
		t.Error("README.md shows another picture of the states; copy " + file + " into it")
	}
}

// Every state can be reached from a draft, and every state that is not final has a way out.
func TestEdgesConnect(t *testing.T) {
	t.Parallel()
	reached := map[State]bool{Draft: true}
	for grown := true; grown; {
		grown = false
		for _, e := range Edges() {
			if reached[e.From] && !reached[e.To] {
				reached[e.To], grown = true, true
			}
		}
	}
	out := map[State]bool{}
	for _, e := range Edges() {
		out[e.From] = true
	}
	for _, s := range States() {
		if !reached[s] {
			t.Errorf("%s cannot be reached", s)
		}
		if !s.Final() && !out[s] {
			t.Errorf("%s has no way out", s)
		}
	}
}

// Each edge names an action that the policy knows.
func TestEdgesNameKnownActions(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for _, a := range authz.Actions() {
		known[a] = true
	}
	for _, e := range Edges() {
		if !known[e.Who] {
			t.Errorf("%s --%s-->: unknown action %q", e.From, e.Event, e.Who)
		}
	}
}

// What the settings of the products make of the table: the path each kind of order takes.
func TestPaths(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		facts  Facts
		events []Event
		want   []State
	}{
		{ // req: B46 B52 B55 B58
			"renewal into the dealer's own key, paid first", Facts{Fulfilment: "install", PayFirst: true, Owes: true},
			[]Event{Submit, Paid, Approve, Installed}, []State{AwaitingPayment, InReview, ReadyToInstall, Completed},
		},
		{ // req: K30 K38 K40
			"first purchase, couriered", Facts{Fulfilment: "produce", PayFirst: true, Owes: true},
			[]Event{Submit, Paid, Approve, KeyWritten, Ship}, []State{AwaitingPayment, InReview, InProduction, ToDeliver, Completed},
		},
		{ // req: K44
			"rejected and resubmitted", Facts{Fulfilment: "produce", PayFirst: true, Owes: true},
			[]Event{Submit, Paid, Reject, Resubmit, Approve}, []State{AwaitingPayment, InReview, Rejected, InReview, InProduction},
		},
		{
			"reviewed first, paid after, key sent in", Facts{Fulfilment: "unlock", Owes: true},
			[]Event{Submit, Approve, Paid, ReceiveKey, KeyWritten, Ship}, []State{InReview, AwaitingPayment, AwaitingKey, InProduction, ToDeliver, Completed},
		},
		{
			"paid by the enterprise", Facts{Fulfilment: "install"},
			[]Event{Submit, Approve, Installed}, []State{InReview, ReadyToInstall, Completed},
		},
		{ // req: B49 B50
			"bank transfer, voucher sent back once", Facts{Fulfilment: "install", PayFirst: true, Owes: true},
			[]Event{Submit, SubmitVoucher, RejectVoucher, SubmitVoucher, Paid}, []State{AwaitingPayment, PaymentCheck, AwaitingPayment, PaymentCheck, InReview},
		},
		{"a late payment opens a lapsed order", Facts{Fulfilment: "install", PayFirst: true, Owes: true},
			[]Event{Submit, Lapse, Paid}, []State{AwaitingPayment, Lapsed, InReview}},
		{"nothing to make", Facts{Fulfilment: "none"}, []Event{Submit, Approve}, []State{InReview, Completed}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			at, f := Draft, tt.facts
			var got []State
			for _, ev := range tt.events {
				e, ok := find(at, ev, f)
				if !ok {
					t.Fatalf("%s does not know %s", at, ev)
				}
				at = e.To
				got = append(got, at)
				f = after(f, ev)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// after is what an event changes about the facts.
func after(f Facts, ev Event) Facts {
	switch ev {
	case Paid:
		f.Owes, f.Paid = false, true
	case Approve:
		f.Reviewed = true
	}
	return f
}

// Steps that the guides forbid: nothing is issued before review, reviewed before payment where payment comes first, or
// changed after it was handed in (reliability P8).
func TestForbidden(t *testing.T) {
	t.Parallel()
	f := Facts{Owes: true, PayFirst: true, Fulfilment: "install", OpenItems: 1}
	for _, tt := range []struct {
		from State
		ev   Event
	}{
		{Draft, Approve}, {Draft, Installed}, {Draft, Paid}, {AwaitingPayment, Approve}, {AwaitingPayment, Installed}, {InReview, Installed},
		{InReview, Submit}, {Completed, Cancel}, {Completed, RequestRefund}, {Refunded, Paid}, {Cancelled, Submit}, {ReadyToInstall, Installed}, {Rejected, Approve},
	} {
		if e, ok := find(tt.from, tt.ev, f); ok {
			t.Errorf("%s --%s--> %s must not be", tt.from, tt.ev, e.To)
		}
	}
}

// Random walks stay on the table and end only in final states.
func TestRandomWalks(t *testing.T) {
	t.Parallel()
	rnd := rand.New(rand.NewPCG(1, 2))
	all := Edges()
	for range 2000 {
		at := Draft
		f := Facts{Owes: rnd.IntN(2) == 0, PayFirst: rnd.IntN(2) == 0, Fulfilment: []string{"install", "produce", "unlock", "none"}[rnd.IntN(4)]}
		for range 40 {
			e := all[rnd.IntN(len(all))]
			if step, ok := find(at, e.Event, f); ok {
				if step.From != at {
					t.Fatalf("walk left the table at %s", at)
				}
				at, f = step.To, after(f, e.Event)
				if step.Event == RequestRefund {
					f.Before = step.From
				}
			}
		}
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	for _, p := range i18n.Lint(Messages) {
		t.Error(p)
	}
	bundle, err := i18n.New(Messages)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range States() {
		if id := "order.state." + string(s); bundle.T("zh-CN", id) == id {
			t.Errorf("state %s has no word", s)
		}
	}
}
