package journey

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"certsaas/core/coretest/program"
)

// crowd is many visitors who begin orders one after the other, whatever happens to the server behind them.
type crowd struct {
	t       *testing.T
	p       *program.Program
	members []*member
	stop    chan struct{}
	done    sync.WaitGroup
}

// member is one of them; each order is a new browser's.
type member struct {
	*crowd
	name   string
	served atomic.Int64 // when the last request that was served was sent, in nanoseconds
	turned atomic.Int64 // how often he was told to come again

	saved []draft // what was acknowledged
}

// draft is an order whose form was acknowledged as saved.
type draft struct {
	browser *program.Visitor
	address string
	agent   string
}

// gather begins the load.
func gather(t *testing.T, p *program.Program, n int) *crowd {
	t.Helper()
	c := &crowd{t: t, p: p, stop: make(chan struct{})}
	for i := range n {
		m := &member{crowd: c, name: fmt.Sprintf("演示%c", '甲'+rune(i))}
		c.members = append(c.members, m)
		c.done.Go(m.live)
	}
	return c
}

// live begins orders until it is time to go home.
func (m *member) live() {
	for n := 1; ; n++ {
		select {
		case <-m.stop:
			return
		default:
			if !m.begin(fmt.Sprintf("%s%d", m.name, n)) {
				return
			}
		}
	}
}

// begin begins one order and fills half of its form in; false ends the load: something went wrong.
func (m *member) begin(agent string) (ok bool) {
	defer func() {
		if r, is := recover().(lost); is {
			m.t.Errorf("%s: %s", agent, r.why)
			ok = false
		}
	}()
	v := m.p.NewVisitor(m.t)
	v.T, v.Patient = daring{m.t}, true
	m.try(v, func() { v.Open(m.p.URL("", "/createOrder?productCode=CERT272353")) })
	m.try(v, func() { v.Form("product").Press("立即办理") })
	m.try(v, func() {
		v.Form("agent_name").Set("agent_name", agent).Set("mobile", "13800138071").PressValue("_step", "refresh")
	})
	if v.Form("agent_name").Values.Get("agent_name") != agent {
		v.T.Fatalf("the form was answered without what was typed: %s", v.Text())
	}
	m.saved = append(m.saved, draft{v, v.URL.String(), agent})
	return true
}

// try sends a request; told to come again, it presses the button for that, again and again.
func (m *member) try(v *program.Visitor, send func()) {
	sent := time.Now()
	send()
	for end := sent.Add(time.Minute); v.Status == http.StatusServiceUnavailable; {
		m.turned.Add(1)
		if after := v.Header.Get("Retry-After"); after != "5" || !strings.Contains(v.Text(), "再试") {
			v.T.Fatalf("turned away without a word when to come again: Retry-After %q, %s", after, v.Text())
		}
		if time.Now().After(end) {
			v.T.Fatalf("turned away for a minute")
		}
		time.Sleep(50 * time.Millisecond)
		sent = time.Now()
		if v.Page.Find(".error-body form").Length() > 0 {
			v.Button("再试一次")
		} else {
			v.Follow("再试一次")
		}
	}
	if v.Status >= 400 {
		v.T.Fatalf("%s: %d %s", v.URL, v.Status, v.Text())
	}
	m.served.Store(sent.UnixNano())
}

// allServedSince reports whether each has been served by a request that was sent after begin.
func (c *crowd) allServedSince(begin time.Time) bool {
	for _, m := range c.members {
		if m.served.Load() < begin.UnixNano() {
			return false
		}
	}
	return true
}

// home ends the load.
func (c *crowd) home() {
	close(c.stop)
	c.done.Wait()
}

// allThere opens every order that was acknowledged, in its browser: it holds what was typed.
func (c *crowd) allThere() {
	c.t.Helper()
	orders, turned := 0, int64(0)
	for _, m := range c.members {
		turned += m.turned.Load()
		for _, d := range m.saved {
			orders++
			v := d.browser.As(c.t)
			v.Patient = false
			if got := v.Open(d.address).Form("agent_name").Values.Get("agent_name"); got != d.agent {
				c.t.Errorf("%s was acknowledged and holds %q, not %q", d.address, got, d.agent)
			}
		}
	}
	c.t.Logf("%d orders acknowledged, all there; %d times told to come again", orders, turned)
	if orders == 0 || turned == 0 {
		c.t.Error("the load met no outage")
	}
}
