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
	texts      pool[i18n.Text]
	fields     pool[[]form.Field]
	messages   pool[map[string]Message]
	agreements pool[map[string]Agreement]
	assets     pool[[]byte]
)

// same is the one value of a pool that says the same as v, of whose type everything is exported.
func same[T any](p *pool[T], v T) T {
	raw, err := json.Marshal(v)
	if err != nil { // strings, numbers and lists: cannot happen
		return v
	}
	key := sha256.Sum256(raw)
	return p.one(string(key[:]), func() T { return v })
}

// sharedAsset is the one copy of a file, the tenant's own or inherited.
func sharedAsset(text string) []byte {
	key := sha256.Sum256([]byte(text))
	return assets.one(string(key[:]), func() []byte { return []byte(text) })
}

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
