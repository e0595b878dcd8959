package tenant

import (
	"crypto/sha256"
	"encoding/json"
	"strings"
	"sync"

	"certsaas/core/form"
	"certsaas/core/i18n"
)

// maxShared bounds what a pool remembers: a few hundred different things come with the program, the rest are the tenants'.
const maxShared = 20_000

// pool holds each value once, since tenants inherit most of what they declare, and a release keeps most of the one before: with
// a thousand tenants what they share was most of the memory. What goes in never changes afterwards.
type pool[T any] struct {
	mu    sync.Mutex
	known map[string]T
}

// one is the value known by a key, made when there is none.
func (p *pool[T]) one(key string, make func() T) T {
	p.mu.Lock()
	defer p.mu.Unlock()
	if have, ok := p.known[key]; ok {
		return have
	}
	if p.known == nil || len(p.known) >= maxShared {
		p.known = map[string]T{}
	}
	p.known[key] = make()
	return p.known[key]
}

var (
	texts  pool[i18n.Text]
	fields pool[[]form.Field]
)

// sharedText is the one text that says the same.
func sharedText(t i18n.Text) i18n.Text {
	key := ""
	for _, l := range i18n.Locales() {
		key += t[l] + "\x00"
	}
	return texts.one(key, func() i18n.Text {
		for l, text := range t {
			t[l] = strings.Clone(text) // not a piece of the whole file
		}
		return t
	})
}

// sharedFields is the one list of a group's fields that asks the same.
func sharedFields(list []form.Field) []form.Field {
	raw, err := json.Marshal(list)
	if err != nil { // fields are strings, numbers and lists: cannot happen
		return list
	}
	key := sha256.Sum256(raw)
	return fields.one(string(key[:]), func() []form.Field { return list })
}
