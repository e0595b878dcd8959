package agent

import (
	"context"
	"errors"
	"time"

	"certsaas/core/token"
)

// device is one row of enumerate.
type device struct {
	SN         string          `json:"sn"`
	Label      string          `json:"label"`
	Vendor     string          `json:"vendor"`
	Model      string          `json:"model"`
	Containers []containerInfo `json:"containers"`
	PIN        pinInfo         `json:"pin"`
}

type containerInfo struct {
	Name string    `json:"name"`
	SPKI string    `json:"spki_sha256,omitempty"`
	Cert *certInfo `json:"cert,omitempty"`
}

type certInfo struct {
	Serial   string    `json:"serial"`
	Subject  string    `json:"subject"`
	NotAfter time.Time `json:"not_after"`
	SPKI     string    `json:"spki_sha256"`
}

// pinInfo leaves retry_left out when the device does not say.
type pinInfo struct {
	RetryLeft *int `json:"retry_left,omitempty"`
	Locked    bool `json:"locked"`
	Default   bool `json:"default"`
}

func pinOf(p token.PINState) pinInfo {
	out := pinInfo{Locked: p.Locked, Default: p.Default}
	if p.RetryLeft != token.RetryUnknown {
		out.RetryLeft = &p.RetryLeft
	}
	return out
}

func describe(info token.Info, containers []token.Container) device {
	d := device{SN: info.Serial, Label: info.Label, Vendor: info.Vendor, Model: info.Model, PIN: pinOf(info.PIN), Containers: []containerInfo{}}
	for _, c := range containers {
		row := containerInfo{Name: c.Name(), SPKI: c.SPKISHA256()}
		if c.Certificate != nil {
			row.Cert = &certInfo{Serial: c.CertificateSerial(), Subject: c.Certificate.Subject.String(), NotAfter: c.Certificate.NotAfter, SPKI: row.SPKI}
		}
		d.Containers = append(d.Containers, row)
	}
	return d
}

// enumerate lists every device with its certificates; no PIN is needed for that.
func (s *session) enumerate(c call) (any, error) {
	if _, err := args[struct{}](c.request); err != nil {
		return nil, err
	}
	return s.list()
}

func (s *session) list() ([]device, error) {
	infos, err := s.a.cfg.Driver.Devices()
	if err != nil {
		return nil, err
	}
	out := []device{}
	for _, info := range infos {
		containers, err := s.containersOf(info.Serial)
		if token.Dead(err) {
			continue // pulled out meanwhile
		}
		if err != nil {
			return nil, err
		}
		out = append(out, describe(info, containers))
	}
	return out, nil
}

func (s *session) containersOf(serial string) ([]token.Container, error) {
	if s.dev != nil && s.info.Serial == serial {
		return s.dev.Containers()
	}
	t, err := s.a.cfg.Driver.Open(serial)
	if err != nil {
		return nil, err
	}
	containers, err := t.Containers()
	return containers, errors.Join(err, t.Close())
}

// claim makes a device this session's; BUSY while another session has it. The
// login of a device is shared by the whole process, so it must have one owner.
func (s *session) claim(serial string) error {
	s.a.mu.Lock()
	defer s.a.mu.Unlock()
	if owner := s.a.owners[serial]; owner != nil && owner != s {
		return fail(token.CodeBusy, errors.New("another page is using the device"))
	}
	s.a.owners[serial] = s
	return nil
}

// watch tells sessions with a ticket of devices that come and go.
func (a *Agent) watch(ctx context.Context) {
	tick := time.NewTicker(1500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			a.look(ctx)
		}
	}
}

func (a *Agent) look(ctx context.Context) {
	a.mu.Lock()
	if len(a.sessions) == 0 {
		a.present = nil
		a.mu.Unlock()
		return
	}
	before := a.present
	var sessions []*session
	for s := range a.sessions {
		if s.known.Load() {
			sessions = append(sessions, s)
		}
	}
	a.mu.Unlock()
	infos, err := a.cfg.Driver.Devices()
	if err != nil {
		return // the operation that meets it will say
	}
	now := map[string]bool{}
	for _, info := range infos {
		now[info.Serial] = true
	}
	var events []Event
	if before != nil { // the first look is no change
		events = append(changes(before, now, "removed"), changes(now, before, "inserted")...)
	}
	a.mu.Lock()
	a.present = now
	a.mu.Unlock()
	for _, e := range events {
		for _, s := range sessions {
			s.send(ctx, e)
		}
	}
}

func changes(had, has map[string]bool, kind string) []Event {
	var out []Event
	for sn := range had {
		if !has[sn] {
			out = append(out, Event{Event: "device", Type: kind, SN: sn})
		}
	}
	return out
}
