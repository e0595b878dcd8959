package channel

import (
	"regexp"

	"certsaas/core/fault"
)

var placeholder = regexp.MustCompile(`\{([a-z][a-z0-9_]*)\}`)

// Fill puts params into a tenant's text, whose placeholders read {name}. It is
// plain replacement, once: neither the text nor a value is ever run as a
// template (ASVS 1.3.7). A placeholder without a value is fault.Invalid, since a
// message with a hole in it must not go out.
func Fill(text string, params map[string]string) (string, error) {
	var missing string
	out := placeholder.ReplaceAllStringFunc(text, func(p string) string {
		v, ok := params[p[1:len(p)-1]]
		if !ok {
			missing = p[1 : len(p)-1]
		}
		return v
	})
	if missing != "" {
		return "", fault.New(fault.Invalid, "channel.hole", "Placeholder", missing)
	}
	return out, nil
}
