package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"certsaas/core/db"
	"certsaas/core/db/embedpg"
)

// statement is one that the program sent, with its parameters as PostgreSQL logged them.
type statement struct {
	sql    string
	params []*string // nil is NULL
}

// transaction is what a connection sent after saying for whom, until COMMIT.
type transaction struct {
	system     bool // in role certsaas_system
	alone      bool // a statement that only looks, without BEGIN and COMMIT
	statements []statement
}

// replay is the SQL of one life as a pgbench script: what was new in that life is new in each run, the rest is as it was.
type replay struct {
	script    string
	defines   []string // name=value
	tenant    string
	bin, conn string
	size      int // statements
}

// settle is how long the program's jobs need to finish with an order.
const settle = 3 * time.Second

// record has two lives lived while PostgreSQL logs what it is asked, and makes a script of the second.
func (h *house) record(dealer, reviewer *person) *replay {
	h.t.Helper()
	h.admin("ALTER SYSTEM SET log_statement = 'all'", "SELECT pg_reload_conf()")
	time.Sleep(settle)
	for _, mark := range []string{"a", "b"} {
		h.admin("SELECT 'mark " + mark + "'")
		if err := h.live(dealer, reviewer); err != nil {
			h.t.Fatal(err)
		}
		time.Sleep(settle)
	}
	h.admin("SELECT 'mark end'", "ALTER SYSTEM RESET log_statement", "SELECT pg_reload_conf()")
	t, err := h.inside.Tenants.BySlug(h.t.Context(), "bench")
	if err != nil {
		h.t.Fatal(err)
	}
	lives := h.read(t.ID().String())
	known := map[string]bool{}
	for _, tx := range lives["a"] {
		for _, s := range tx.statements {
			for _, p := range s.params {
				if p != nil {
					known[*p] = true
				}
			}
		}
	}
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", h.pg.PID()))
	if err != nil {
		h.t.Fatal(err)
	}
	r := &replay{bin: filepath.Join(filepath.Dir(exe), "pgbench"), conn: h.pg.URL(embedpg.Superuser, "replay"), tenant: t.ID().String()}
	r.write(lives["b"], known)
	h.copyDatabase()
	return r
}

func (h *house) admin(sql ...string) { h.t.Helper(); h.adminOf("certsaas", sql...) }

// adminOf runs SQL as the server's owner.
func (h *house) adminOf(database string, sql ...string) {
	h.t.Helper()
	conn, err := pgx.Connect(h.t.Context(), h.pg.URL(embedpg.Superuser, database))
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	for _, s := range sql {
		if _, err := conn.PgConn().Exec(h.t.Context(), s).ReadAll(); err != nil {
			h.t.Fatal(err)
		}
	}
}

// read sorts the log into the transactions of each life: those of the tenant, and of the system without jobs that look for work.
func (h *house) read(tenant string) map[string][]transaction {
	h.t.Helper()
	files, err := filepath.Glob(filepath.Join(h.dir, "pg", "data", "statements", "*.json"))
	if err != nil || len(files) == 0 {
		h.t.Fatalf("no log of statements: %v", err)
	}
	out, open, mark := map[string][]transaction{}, map[int]*transaction{}, ""
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			h.t.Fatal(err)
		}
		for line := range strings.Lines(string(raw)) {
			var entry struct {
				User, Message, Detail string
				PID                   int
			}
			if json.Unmarshal([]byte(line), &entry) != nil {
				continue
			}
			if _, m, ok := strings.Cut(entry.Message, "SELECT 'mark "); ok {
				mark = strings.TrimSuffix(m, "'")
			}
			s, ok := logged(entry.Message, entry.Detail)
			if !ok || (entry.User != db.RoleApp && entry.User != db.RoleSystem) {
				continue
			}
			switch tx := open[entry.PID]; {
			case s.sql == "BEGIN":
			case strings.HasPrefix(s.sql, "SELECT set_config(") && len(s.params) == 1: // whoever it is for
				open[entry.PID] = nil
				if entry.User == db.RoleApp && *s.params[0] == tenant || entry.User == db.RoleSystem && !looksForWork(*s.params[0]) {
					open[entry.PID] = &transaction{system: entry.User == db.RoleSystem, alone: strings.Contains(s.sql, "read_only")}
				}
			case tx == nil:
			case s.sql == "COMMIT" || s.sql == "ROLLBACK":
				out[mark] = append(out[mark], *tx)
				open[entry.PID] = nil
			default:
				tx.statements = append(tx.statements, s)
				if tx.alone {
					out[mark] = append(out[mark], *tx)
					open[entry.PID] = nil
				}
			}
		}
	}
	return out
}

// looksForWork tells a job's own transactions from what a life asks for.
func looksForWork(who string) bool {
	for _, component := range []string{"outbox", "audit", "payment/poll", "payment/refund", "scheduler", "reminder", "issuance", "tenant/registry", "order/lapse", "material", "account/sweep", "staff/sweep", "blob"} {
		if strings.HasPrefix(who, "certsaas "+component) {
			return true
		}
	}
	return false
}

var prefix = regexp.MustCompile(`^(?:statement|execute [^:]*): `)

// logged reads a line of the log.
func logged(message, detail string) (statement, bool) {
	at := prefix.FindString(message)
	if at == "" {
		return statement{}, false
	}
	s := statement{sql: strings.TrimSpace(message[len(at):])}
	_, rest, _ := strings.Cut(detail, "arameters: ")
	for rest != "" {
		_, rest, _ = strings.Cut(rest, " = ")
		if after, ok := strings.CutPrefix(rest, "NULL"); ok {
			s.params, rest = append(s.params, nil), strings.TrimPrefix(after, ", ")
			continue
		}
		var value strings.Builder
		i := 1
		for ; i < len(rest); i++ {
			if rest[i] == '\'' {
				if i+1 < len(rest) && rest[i+1] == '\'' {
					i++
				} else {
					break
				}
			}
			value.WriteByte(rest[i])
		}
		text := value.String()
		s.params, rest = append(s.params, &text), strings.TrimPrefix(rest[min(i+1, len(rest)):], ", ")
	}
	return s, true
}

var (
	place    = regexp.MustCompile(`\$(\d+)`)
	isUUID   = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	isToken  = regexp.MustCompile(`^[A-Za-z0-9_-]*[0-9][A-Za-z0-9_-]{10,63}$`)
	isBytes  = regexp.MustCompile(`^\\x[0-9a-f]{8,128}$`)
	isNumber = regexp.MustCompile(`^[A-Z0-9][A-Z0-9-]{9,39}$`)
	isDate   = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}`)
	digits   = regexp.MustCompile(`[0-9]+$`)
)

// fresh is SQL that makes another value of the same kind, "" when the value may stay.
func fresh(v string) string {
	const hexits = `encode(sha256(gen_random_uuid()::text::bytea), 'hex')`
	switch {
	case isUUID.MatchString(v):
		return "gen_random_uuid()::text"
	case isBytes.MatchString(v):
		return fmt.Sprintf(`'\x' || left(%s || %s, %d)`, hexits, hexits, len(v)-2)
	case isNumber.MatchString(v):
		tail := digits.FindString(v)
		if len(tail) < 9 { // too few digits for numbers that nobody has had
			return fmt.Sprintf("upper(left(%s, %d))", hexits, len(v))
		}
		n := min(len(tail), 12)
		return fmt.Sprintf("'%s' || lpad(floor(random() * 1e%d)::bigint::text, %d, '0')", v[:len(v)-n], n, n)
	case isToken.MatchString(v) && !isDate.MatchString(v):
		return fmt.Sprintf("left(%s, %d)", hexits, len(v))
	}
	return ""
}

// write makes the script.
func (r *replay) write(life []transaction, known map[string]bool) {
	names, made := map[string]string{}, []string{}
	name := func(v string) string {
		if have, ok := names[v]; ok {
			return have
		}
		n := "p" + strconv.Itoa(len(names))
		names[v] = n
		if sql := fresh(v); sql != "" && !known[v] {
			made = append(made, sql+" AS "+n)
		} else {
			r.defines = append(r.defines, n+"="+v)
		}
		return n
	}
	var body strings.Builder
	for _, tx := range life {
		if !tx.alone {
			body.WriteString("BEGIN;\n")
		}
		if tx.system {
			body.WriteString("SET LOCAL ROLE " + db.RoleSystem + ";\n")
		}
		for _, s := range tx.statements {
			r.size++
			body.WriteString(place.ReplaceAllStringFunc(s.sql, func(at string) string {
				i, _ := strconv.Atoi(at[1:]) // the pattern has digits only
				if i > len(s.params) || s.params[i-1] == nil {
					return "NULL"
				}
				if *s.params[i-1] == "" { // pgbench has no empty variables
					return "''"
				}
				return ":" + name(*s.params[i-1])
			}))
			body.WriteString(";\n")
		}
		if !tx.alone {
			body.WriteString("COMMIT;\n")
		}
	}
	r.script = "SELECT " + strings.Join(made, ", ") + " \\gset\n" + body.String()
}

// copyDatabase makes the database the script runs on: it writes rows that only look like orders, which the program must not meet.
func (h *house) copyDatabase() {
	h.t.Helper()
	h.adminOf("postgres", "ALTER DATABASE certsaas ALLOW_CONNECTIONS false",
		"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'certsaas'",
		"CREATE DATABASE replay TEMPLATE certsaas STRATEGY FILE_COPY",
		"ALTER DATABASE certsaas ALLOW_CONNECTIONS true")
	time.Sleep(2 * time.Second) // the pools notice
}

var progress = regexp.MustCompile(`^progress: ([0-9.]+) s, ([0-9.]+) tps`)

// replayed has pgbench replay lives with as many connections as there were clients, and says how many it did at what cost
// after warming up.
func (h *house) replayed(t *testing.T, r *replay, s size) (done float64, c cost) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "life.sql")
	if err := os.WriteFile(file, []byte(r.script), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-n", "-M", "prepared", "-P", "1", "-f", file, "-c", strconv.Itoa(s.clients), "-j", "2", "-T", strconv.Itoa(int(math.Ceil((s.warm + s.burst).Seconds())) + 2)} // the last second may pass without a report
	for _, def := range slices.Sorted(slices.Values(r.defines)) {
		args = append(args, "-D", def)
	}
	cmd := exec.CommandContext(t.Context(), r.bin, append(args, r.conn)...)
	cmd.Env = append(os.Environ(), "PGOPTIONS=-c role="+db.RoleApp+" -c app.tenant="+r.tenant)
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	var begin time.Time
	var before time.Duration
	for lines := bufio.NewScanner(said); lines.Scan(); {
		all.WriteString(lines.Text() + "\n")
		m := progress.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		at, _ := strconv.ParseFloat(m[1], 64) // the pattern has digits only
		tps, _ := strconv.ParseFloat(m[2], 64)
		switch {
		case at < s.warm.Seconds()-0.5:
		case begin.IsZero():
			begin, before = time.Now(), family(t, h.pg.PID())
		default:
			done += tps*time.Since(begin).Seconds() - tps*c.wall.Seconds()
			c.wall, c.database = time.Since(begin), family(t, h.pg.PID())-before
		}
	}
	if err := cmd.Wait(); err != nil || done == 0 {
		t.Fatalf("pgbench: %v\n%.4000s", err, all.String())
	}
	return done, c
}
