package agent

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"certsaas/core/token"
)

func TestTerminal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lines  []string
		left   int
		change bool
		want   Answer
		err    error
	}{
		"PIN":             {[]string{pin}, 6, false, Answer{PIN: pin}, nil},
		"unknown tries":   {[]string{pin}, token.RetryUnknown, false, Answer{PIN: pin}, nil},
		"empty cancels":   {[]string{""}, 6, false, Answer{}, errCancelled},
		"end of input":    {nil, 6, false, Answer{}, errCancelled},
		"last try":        {[]string{"yes", pin}, 1, false, Answer{PIN: pin, Confirmed: true}, nil},
		"last try denied": {[]string{"no", pin}, 1, false, Answer{}, errCancelled},
		"change":          {[]string{pin, "87654321"}, 6, true, Answer{PIN: pin, NewPIN: "87654321"}, nil},
	} {
		var out bytes.Buffer
		lines := c.lines
		term := Terminal{Out: &out, ReadSecret: func() (string, error) {
			if len(lines) == 0 {
				return "", io.EOF
			}
			line := lines[0]
			lines = lines[1:]
			return line, nil
		}}
		d := must(term.Begin(t.Context(), Prompt{Origin: origin, Company: "示例公司", Change: c.change}, func(string, bool) {}))(t)
		got, err := d.Ask(t.Context(), c.left, ProblemNone)
		d.Close(err == nil, "已取消")
		if got != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: %+v %v", name, got, err)
		}
		if shown := out.String(); !strings.Contains(shown, origin) || strings.Contains(shown, pin) {
			t.Errorf("%s: shows %q", name, shown)
		}
	}
}
