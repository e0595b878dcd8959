package journey

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"certsaas/core/coretest"
	"certsaas/core/coretest/program"
)

// The figures of reliability U3.
const (
	politeLimit = 300 * time.Millisecond // p99 of everybody else
	memoryLimit = 512 << 20              // resident
)

// slowLines has many applicants hand in 2 MB each over slow lines, beside connections that send a byte now and then and never
// come to an end: all uploads arrive, everybody else is served as ever, and memory stays bounded (reliability U3).
func slowLines(t *testing.T, w town) {
	uploads, loris, rate := coretest.Size(8, 64), coretest.Size(50, 200), coretest.Size(512, 32)<<10
	drafts := make([]*program.Visitor, uploads)
	for i := range drafts {
		drafts[i] = w.draft()
	}
	picture := noise(t, 2<<20-64<<10)
	stop := make(chan struct{})
	var hang, load sync.WaitGroup
	for range loris {
		hang.Go(func() { drip(w, stop) })
	}
	begin := time.Now()
	for i, v := range drafts {
		load.Go(func() {
			status, said, err := tile(v, "licence_image", func(r io.Reader) io.Reader { return &line{r: r, rate: rate} }, picture)
			if err != nil || status != http.StatusOK {
				t.Errorf("upload %d over a slow line: %d %s %v, after %s", i, status, said, err, time.Since(begin).Round(time.Second))
			}
		})
	}
	done := make(chan struct{})
	go func() { load.Wait(); close(done) }()
	times := everybodyElse(t, w, done)
	took := time.Since(begin)
	close(stop)
	hang.Wait()
	peak, err := w.PeakMemory()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(times)
	p99 := times[len(times)*99/100]
	t.Logf("%d uploads of %d kB at %d kB/s and %d dripping connections, %s: %d other requests, p50 %s, p99 %s; memory at most %d MB",
		uploads, len(picture)>>10, rate>>10, loris, took.Round(time.Second), len(times), times[len(times)/2], p99, peak>>20)
	if p99 > politeLimit {
		t.Errorf("p99 of everybody else %s, want at most %s", p99, politeLimit)
	}
	if peak > memoryLimit {
		t.Errorf("%d MB resident, want at most %d", peak>>20, int64(memoryLimit)>>20)
	}
}

// line gives bytes out at a rate, in bytes a second.
type line struct {
	r     io.Reader
	rate  int
	sent  int
	since time.Time
}

// Read waits until the line is free.
func (l *line) Read(b []byte) (int, error) {
	if l.since.IsZero() {
		l.since = time.Now()
	}
	time.Sleep(time.Until(l.since.Add(time.Duration(float64(l.sent) / float64(l.rate) * float64(time.Second)))))
	n, err := l.r.Read(b[:min(len(b), 4<<10)])
	l.sent += n
	return n, err
}

// drip holds a connection with a head that never ends; cut off, it begins again.
func drip(w town, stop chan struct{}) {
	for {
		conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(w.Port)))
		if err != nil {
			return
		}
		_, err = fmt.Fprintf(conn, "GET / HTTP/1.1\r\nHost: localhost:%d\r\nX-Slow: ", w.Port)
		for err == nil {
			select {
			case <-stop:
				_ = conn.Close()
				return
			case <-time.After(time.Second):
				_, err = io.WriteString(conn, "a")
			}
		}
		_ = conn.Close()
	}
}

// everybodyElse opens pages and saves a form until done, and gives how long each request took.
func everybodyElse(t *testing.T, w town, done chan struct{}) (times []time.Duration) {
	t.Helper()
	v := w.draft()
	form := v.URL.String()
	timed := func(do func()) {
		begin := time.Now()
		do()
		times = append(times, time.Since(begin))
	}
	for i := 0; ; i++ {
		select {
		case <-done:
			return times
		case <-time.After(20 * time.Millisecond):
		}
		timed(func() { v.Open(w.URL("byd", "/s/byd-gqgx")) })
		timed(func() { v.Open(form) })
		timed(func() {
			v.Form("agent_name").Set("agent_name", fmt.Sprintf("孙演示%d", i%10)).PressValue("_step", "refresh")
		})
		timed(func() { v.Open(w.URL("console", "/login")) })
	}
}
