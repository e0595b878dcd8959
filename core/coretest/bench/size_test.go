package bench

import (
	"fmt"
	"os/exec"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"certsaas/core/tenant"
)

// tenantsLoaded is how many tenants the program holds in the largest measurement.
const tenantsLoaded = 1000

// rowOf reads a row as the server's owner.
func (h *house) rowOf(dest []any, sql string, args ...any) {
	h.t.Helper()
	conn, err := pgx.Connect(h.t.Context(), h.pg.URL("postgres", "certsaas"))
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = conn.Close(h.t.Context()) }()
	if err := conn.QueryRow(h.t.Context(), sql, args...).Scan(dest...); err != nil {
		h.t.Fatal(err)
	}
}

// sizeFigures start the program as in service and look at it: time until it is ready, memory when idle, and with many tenants.
func sizeFigures(t *testing.T, h *house, s size) []*figure {
	ready := &figure{name: "ready after start, database up", goal: "≤ 0.3 s", unit: "ms", peer: "certsaas version", met: below(300)}
	idle := &figure{name: "memory idle", goal: "≤ 40 MB", unit: "MB", met: below(40)}
	many := &figure{name: fmt.Sprintf("memory, %d tenants loaded", s.tenants), goal: "≤ 150 MB", unit: "MB", met: below(150)}
	var file []float64
	for range s.rounds {
		h.stop()
		start := h.start()
		time.Sleep(s.idle)
		mem, mapped := resident(t, h.server.Process.Pid, "VmRSS:"), resident(t, h.server.Process.Pid, "RssFile:")
		cmd, begin := exec.Command(h.bin, "version"), time.Now()
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		took := time.Since(begin)
		ready.add(float64(start)/1e6, float64(took)/1e6)
		idle.add(mem, 0)
		file = append(file, mapped)
	}
	idle.note = fmt.Sprintf("%.0f MB of it are pages of the program's own file, which the kernel shares and takes back at will", median(file))
	h.multiply(s.tenants)
	h.stop()
	begin := time.Now()
	h.start()
	many.note = fmt.Sprintf("ready after %.1f s; each portal's first page was asked for once", time.Since(begin).Seconds())
	p := h.person("kl1")
	for i := range s.tenants {
		p.base = h.at(fmt.Sprintf("kl%d", i+1), "")
		p.get("/")
		p.close() // a thousand visitors who wait for more are another figure
	}
	if p.err != nil {
		t.Fatal(p.err)
	}
	for range s.rounds {
		time.Sleep(s.idle)
		many.add(resident(t, h.server.Process.Pid, "VmRSS:"), 0)
	}
	return []*figure{ready, idle, many}
}

// multiply publishes copies of King Long's release under other names, in the database.
func (h *house) multiply(n int) {
	h.t.Helper()
	ids, slugs := make([]string, n), make([]string, n)
	for i := range n {
		slugs[i] = fmt.Sprintf("kl%d", i+1)
		ids[i] = tenant.IDOf(slugs[i]).String()
	}
	var made int
	h.rowOf([]any{&made}, `WITH named AS (SELECT * FROM unnest($1::uuid[], $2::text[]) AS n (id, slug)),
		made AS (INSERT INTO tenants (id, slug, created_at) SELECT id, slug, now() FROM named RETURNING id)
		INSERT INTO tenant_releases (tenant_id, number, definition, digest, created_at, created_by, published_at)
		SELECT named.id, 1, replace(replace(r.definition::text, 'kinglong', named.slug), 'CERT', upper(named.slug) || '-')::jsonb, r.digest, now(), 'bench', now()
		FROM named JOIN made USING (id), tenant_releases r JOIN tenants t ON t.id = r.tenant_id AND t.slug = 'kinglong'
		RETURNING (SELECT count(*) FROM named)`, ids, slugs)
	if made != n {
		h.t.Fatalf("%d tenants made", made)
	}
}
