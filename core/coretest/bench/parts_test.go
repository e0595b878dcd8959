package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"certsaas/core/audit"
	"certsaas/core/authz"
	"certsaas/core/db"
	"certsaas/core/letter/pdf"
	"certsaas/core/outbox"
)

// authzFigure asks about one order over and over; the peer is OPA with the smallest policy that looks a role up.
func authzFigure(t *testing.T, h *house, s size) *figure {
	f := &figure{name: "authorisation", goal: "≤ 2 µs", unit: "µs", peer: "OPA, one-line policy", met: below(2)}
	p := authz.Principal{Kind: authz.Dealer, ID: db.NewID(), Tenant: db.NewID()}
	ctx := authz.WithPrincipal(t.Context(), p)
	res := authz.Resource{Kind: "order", Tenant: p.Tenant, Owner: p.ID, State: "draft"}
	query, err := rego.New(rego.Query("data.p.allow"), rego.Store(inmem.NewFromObject(map[string]any{"roles": map[string]any{"dealer": []any{"order.view"}}})),
		rego.Module("p.rego", "package p\nallow if input.action in data.roles[input.kind]")).PrepareForEval(ctx)
	if err != nil {
		t.Fatal(err)
	}
	input := map[string]any{"kind": "dealer", "action": "order.view"}
	for range s.rounds {
		ours := each(t, s.burst/8, func() {
			if err := h.inside.Authz.Check(ctx, authz.OrderView, res); err != nil {
				t.Fatal(err)
			}
		})
		theirs := each(t, s.burst/8, func() {
			if set, err := query.Eval(ctx, rego.EvalInput(input)); err != nil || !set.Allowed() {
				t.Fatal(set, err)
			}
		})
		f.add(float64(ours.Nanoseconds())/1e3, float64(theirs.Nanoseconds())/1e3)
	}
	return f
}

// letterFigure prints a letter of a page's length; the floor writes as many bytes to a file.
func letterFigure(t *testing.T, _ *house, s size) *figure {
	f := &figure{name: "letter", goal: "≤ 5 ms", unit: "ms", peer: "write the bytes", met: below(5),
		note: "signintech/gopdf, no dependency of ours any more, spent 21 ms on such a letter, 20 of them parsing the font anew each time"}
	doc := pdf.Document{Title: "实名认证申请授权书", Number: "L-1", QR: "https://byd.example.cn/v/L-1#" + strings.Repeat("Ab3", 36), Lang: "zh-CN",
		Blocks: []pdf.Block{pdf.Title{Text: "实名认证申请授权书"}}}
	for range 12 {
		doc.Blocks = append(doc.Blocks, pdf.Paragraph{Text: pdf.Plain(strings.Repeat("兹委派经办人办理企业电子钥匙（USBKEY）申领事宜，", 4)), Indent: true})
	}
	render := func() []byte {
		out, err := pdf.Render(doc)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	out, path := render(), filepath.Join(t.TempDir(), "letter.pdf")
	for range s.rounds {
		ours := each(t, s.burst/8, func() { render() })
		theirs := each(t, s.burst/8, func() {
			if err := os.WriteFile(path, out, 0o600); err != nil {
				t.Fatal(err)
			}
		})
		f.add(float64(ours.Nanoseconds())/1e6, float64(theirs.Nanoseconds())/1e6)
	}
	return f
}

// noticeFigure posts a company's notice of payment a hundred times: the first pays, the others must cost less.
func noticeFigure(t *testing.T, h *house, s size) *figure {
	f := &figure{name: "a duplicate of a payment notice", goal: "≤ 0.4 × the first", unit: "ms", peer: "the first", met: ratioBelow(0.4)}
	dealer := h.dealers(1)[0]
	for range s.rounds {
		var firsts, others []float64
		for range s.notices {
			_, trade := handIn(dealer)
			if dealer.err != nil {
				t.Fatal(dealer.err)
			}
			company := h.company()
			if err := company.Pay(trade); err != nil {
				t.Fatal(err)
			}
			body, err := company.Notification(trade)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 100 {
				begin := time.Now()
				dealer.do(http.MethodPost, "/notify/alipay", "application/x-www-form-urlencoded", strings.NewReader(body), http.StatusOK)
				took := float64(time.Since(begin)) / 1e6
				if i == 0 {
					firsts = append(firsts, took)
				} else {
					others = append(others, took)
				}
			}
			h.paidOnce(trade)
		}
		f.add(median(others), median(firsts))
	}
	f.note = "100 posts of each notice; the order, its events and its outbox show one payment"
	return f
}

// paidOnce looks for one effect in every table a payment writes.
func (h *house) paidOnce(trade string) {
	h.t.Helper()
	var payments, events, outboxed int
	h.rowOf([]any{&payments, &events, &outboxed}, `SELECT count(*) FILTER (WHERE p.settles),
		(SELECT count(*) FROM order_events e WHERE e.order_id = o.id AND e.event = 'paid'), (SELECT count(*) FROM outbox x WHERE x.ref = o.id AND x.kind = 'order.paid')
		FROM payments p JOIN orders o ON o.id = p.order_id WHERE p.code LIKE '%' || $1 GROUP BY o.id`, trade)
	if payments != 1 || events != 1 || outboxed != 1 {
		h.t.Errorf("trade %s: %d settled, %d events, %d outbox events", trade, payments, events, outboxed)
	}
}

// outboxFigure hands messages to a local sink over HTTP; the floor posts them without an outbox.
func outboxFigure(t *testing.T, h *house, s size) *figure {
	f := &figure{name: "outbox", goal: "≥ 1,000 messages/s", unit: "/s", peer: "posting alone", met: above(1000)}
	sink := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer sink.Close()
	send := func(ctx context.Context, id uuid.UUID) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, sink.URL, bytes.NewReader(id[:]))
		if err != nil {
			return err
		}
		res, err := sink.Client().Do(req)
		if err != nil {
			return err
		}
		_, _ = io.Copy(io.Discard, res.Body)
		return res.Body.Close()
	}
	worker := &outbox.Worker{DB: h.inside.DB, Handlers: map[string]outbox.Handler{"bench.message": func(ctx context.Context, it outbox.Item) error { return send(ctx, it.ID) }}}
	for range s.rounds {
		h.admin(fmt.Sprintf(`INSERT INTO outbox (tenant_id, id, kind, ref, data, created_at, due_at)
			SELECT (SELECT id FROM tenants WHERE slug = 'bench'), gen_random_uuid(), 'bench.message', gen_random_uuid(), '{}', now(), now() FROM generate_series(1, %d)`, s.messages))
		begin, before := time.Now(), family(t, h.pg.PID())
		done := 0
		for done < s.messages {
			r, err := worker.RunOnce(asSystem(t.Context()), 100)
			if err != nil || r.Claimed == 0 {
				t.Fatal(r, err)
			}
			done += r.Done
		}
		ours := float64(done) / time.Since(begin).Seconds()
		f.database = append(f.database, (family(t, h.pg.PID())-before)/time.Duration(done))
		begin = time.Now()
		for range s.messages {
			if err := send(t.Context(), uuid.Nil); err != nil {
				t.Fatal(err)
			}
		}
		f.add(ours, float64(s.messages)/time.Since(begin).Seconds())
	}
	f.note = fmt.Sprintf("PostgreSQL %s CPU a message, the worker is in this process", short(median(f.database)))
	f.database = nil
	return f
}

// sealFigure seals audit entries into their chains; the floor is the insertion of the entries in one statement.
func sealFigure(t *testing.T, h *house, s size) *figure {
	f := &figure{name: "audit entries sealed", goal: "≥ 1,000/s", unit: "/s", peer: "inserting them", met: above(1000)}
	sealer := audit.NewSealer(audit.SealerConfig{DB: h.inside.DB, Keys: audit.NewKeys(h.inside.Vault.PlatformKeys()), CheckpointFile: h.inside.CheckpointFile()})
	for range s.rounds {
		begin := time.Now()
		h.admin(fmt.Sprintf(`INSERT INTO audit_entries (tenant_id, id, at, actor_kind, actor_name, action, resource, outcome, detail)
			SELECT ('00000000-0000-4000-8000-00000000000' || n %% 10)::uuid, gen_random_uuid(), now(), 'staff', 'x', 'order.review', 'order/' || n, 'done', '{"round": 1}'
			FROM generate_series(1, %d) n`, s.entries))
		floor := float64(s.entries) / time.Since(begin).Seconds()
		begin = time.Now()
		done := 0
		for done < s.entries {
			n, err := sealer.RunOnce(asSystem(t.Context()), 1000)
			if err != nil {
				t.Fatal(err)
			}
			done += n
		}
		f.add(float64(done)/time.Since(begin).Seconds(), floor)
	}
	return f
}

// loginFigure logs applicants in by code, two at a time: the code asked for, read from the message, typed, session opened.
func loginFigure(t *testing.T, h *house, s size) *figure {
	f := &figure{name: "code logins, two at a time", goal: "≥ 50/s and core, p95 ≤ 250 ms", unit: "/s·core", met: above(50)}
	var all []float64
	for range s.rounds {
		numbers := h.accounts(s.logins)
		var group sync.WaitGroup
		var mu sync.Mutex
		c := h.measure(func() {
			for half := range slices.Chunk(numbers, (len(numbers)+1)/2) {
				group.Go(func() {
					for _, number := range half {
						p, begin := h.person("bench"), time.Now()
						h.login(p, number)
						p.close()
						mu.Lock()
						all = append(all, float64(time.Since(begin))/1e6)
						mu.Unlock()
						if p.err != nil {
							t.Error(p.err)
							return
						}
					}
				})
			}
			group.Wait()
		})
		f.spend(c, float64(len(numbers)))
		f.add(float64(len(numbers))/(c.server+c.database).Seconds(), 0)
	}
	slices.Sort(all)
	p95 := all[len(all)*95/100]
	f.met = func(ours, _ float64) bool { return ours >= 50 && p95 <= 250 }
	f.note = fmt.Sprintf("three requests each, p95 of all three together %.0f ms; per core = 1 / processor time of server and PostgreSQL", p95)
	return f
}
