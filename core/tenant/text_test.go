package tenant

import (
	"strings"
	"testing"

	"certsaas/core/i18n"
	"certsaas/tenants"
)

func TestMessages(t *testing.T) {
	t.Parallel()
	if bad := i18n.Lint(Messages); len(bad) > 0 {
		t.Error(strings.Join(bad, "\n"))
	}
}

func TestDrawings(t *testing.T) {
	t.Parallel()
	const head = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1">`
	for svg, ok := range map[string]bool{
		head + `<path d="M0 0h1" fill="url(#a)"/></svg>`:             true,
		head + `<script>alert(1)</script></svg>`:                     false,
		head + `<image href="https://example.com/x.png"/></svg>`:     false,
		head + `<path style="fill:url(https://example.com)"/></svg>`: false,
		head + `<path fill="url(https://example.com/#a)"/></svg>`:    false,
		head + `<a href="javascript:x"><path/></a></svg>`:            false,
		head + `<path onload="x()"/></svg>`:                          false,
		head + `<foreignObject/></svg>`:                              false,
		head + `</svg><svg viewBox="0 0 1 1"/>`:                      false,
		`<!DOCTYPE svg [<!ENTITY a "b">]>` + head + `</svg>`:         false,
		`<svg xmlns="http://www.w3.org/2000/svg"><path/></svg>`:      false,
		`<html viewBox="0"></html>`:                                  false,
		head:                                                         false,
		"":                                                           false,
	} {
		if _, why := svgFlaw([]byte(svg)); (why == "") != ok {
			t.Errorf("%s: %q", svg, why)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	def, ps := Load(tenants.Base(), tenants.Pack("byd"))
	if err := ps.Err(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, ps := Compile(def); len(ps) > 0 {
			b.Fatal(ps)
		}
	}
}
