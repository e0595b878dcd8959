package console_test

import (
	"strings"
	"testing"
	"unicode"

	"github.com/PuerkitoBio/goquery"
)

// The whole console speaks English to who asks for it: no Chinese is left in headings, labels, columns or buttons.
func TestEnglish(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	x := r.inReview(t, "kinglong", 0, nil)
	pages := map[string][]string{
		"reviewer": {"/", "/queue/review", x.path("/review"), x.path(""), "/orders", "/tenants/kinglong", "/tenants/kinglong/releases/1"},
		"finance":  {"/vouchers", "/refunds", "/invoices"},
		"producer": {"/queue/production", "/queue/shipping", "/papers", x.path("/production"), x.path("/shipping")},
		"admin":    {"/staff", "/staff/new", "/audit", "/health"},
	}
	for login, paths := range pages {
		b := r.login(t, login)
		must(t, b.get("/?lang=en", 200).text("h1") == "Home", "%s: not in English", login)
		for _, path := range paths {
			b.get(path, 200).Find("title, h1, h2, th, dt, label, button, .btn, .rail a, .empty, .tabs a, summary").Each(func(_ int, s *goquery.Selection) {
				text := strings.Join(strings.Fields(s.Text()), " ")
				if strings.IndexFunc(text, func(c rune) bool { return unicode.Is(unicode.Han, c) }) >= 0 && text != "中文" && s.Closest(".vh").Length() == 0 {
					t.Errorf("%s: %s: %q", path, goquery.NodeName(s), text)
				}
			})
		}
	}
}
