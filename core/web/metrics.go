package web

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// Metrics counts requests by route template and holds gauges that others set,
// in the text format of Prometheus. Labels are bounded: method, template and
// status class, and what the owner of a gauge bounds.
type Metrics struct {
	mu     sync.Mutex
	routes map[routeLabel]*routeCount
	gauges map[string]gauge
}

// gauge is a value that is read when somebody looks, one for each value of its label.
type gauge struct {
	label string
	read  func() map[string]float64
}

type routeLabel struct{ method, route, class string }

type routeCount struct {
	n       uint64
	sum     float64
	buckets [len(bounds)]uint64
}

// bounds are the upper limits of the duration buckets, in seconds.
var bounds = [...]float64{0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10}

// NewMetrics is an empty registry.
func NewMetrics() *Metrics {
	return &Metrics{routes: map[routeLabel]*routeCount{}, gauges: map[string]gauge{}}
}

// Gauge registers values that are read whenever somebody looks: by the values of one label, which the caller bounds, or a
// single one under "" when label is "". What read leaves out is not shown.
func (m *Metrics) Gauge(name, label string, read func() map[string]float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.gauges[name] = gauge{label, read}
}

func (m *Metrics) observe(method, route string, status int, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := routeLabel{method, route, fmt.Sprintf("%dxx", status/100)}
	c := m.routes[l]
	if c == nil {
		c = &routeCount{}
		m.routes[l] = c
	}
	c.n++
	c.sum += took.Seconds()
	for i, b := range bounds {
		if took.Seconds() <= b {
			c.buckets[i]++
		}
	}
}

// Text is everything counted so far, sorted.
func (m *Metrics) Text() string {
	m.mu.Lock()
	gauges := maps.Clone(m.gauges)
	lines := make([]string, 0, len(m.routes)*(len(bounds)+3))
	for l, c := range m.routes {
		labels := fmt.Sprintf(`method=%q,route=%q,status=%q`, l.method, l.route, l.class)
		for i, b := range bounds {
			lines = append(lines, fmt.Sprintf("certsaas_http_seconds_bucket{%s,le=\"%g\"} %d", labels, b, c.buckets[i]))
		}
		lines = append(lines, fmt.Sprintf("certsaas_http_seconds_bucket{%s,le=\"+Inf\"} %d", labels, c.n),
			fmt.Sprintf("certsaas_http_seconds_sum{%s} %g", labels, c.sum), fmt.Sprintf("certsaas_http_seconds_count{%s} %d", labels, c.n))
	}
	m.mu.Unlock()
	slices.Sort(lines)
	var b strings.Builder
	b.WriteString("# TYPE certsaas_http_seconds histogram\n")
	for _, l := range lines {
		b.WriteString(l + "\n")
	}
	for _, name := range slices.Sorted(maps.Keys(gauges)) {
		gauges[name].write(&b, name)
	}
	return b.String()
}

func (g gauge) write(b *strings.Builder, name string) {
	values := g.read()
	if len(values) == 0 {
		return
	}
	fmt.Fprintf(b, "# TYPE %s gauge\n", name)
	for _, v := range slices.Sorted(maps.Keys(values)) {
		label := ""
		if g.label != "" {
			label = fmt.Sprintf("{%s=%q}", g.label, v)
		}
		fmt.Fprintf(b, "%s%s %g\n", name, label, values[v])
	}
}
