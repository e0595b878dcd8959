package chromium

import (
	"context"
	"fmt"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// Keys that a person without a mouse has.
const (
	KeyTab   = kb.Tab
	KeyEnter = kb.Enter
	KeySpace = " "
	KeyDown  = kb.ArrowDown
)

// furthest is how many presses of Tab anybody would make to get to something.
const furthest = 90

// Hands presses keys and nothing else. Wherever the focus goes it must be seen, and it goes through the page in its order.
type Hands struct {
	tab *Tab
	was stop // where the focus stood before
}

// Hands puts the mouse away.
func (tab *Tab) Hands() *Hands { return &Hands{tab: tab} }

// stop is where the focus stands.
type stop struct {
	Is   bool   // it is what was looked for
	What string // in words
	Seen string // "" or why nobody can see it
	Part string // of the page: main, aside, header, …

	Top, Below, Left, Right float64 // its edges, from the page's corner
}

// focused describes the focus; want is an expression about the element e.
const focused = `(() => {
	const e = document.activeElement || document.body, whole = e.closest("tr") || e, css = (x) => getComputedStyle(x);
	const ring = [e, e.nextElementSibling, e.closest("tr"), e.closest("label")].filter(Boolean).find((x) => css(x).outlineStyle !== "none" && parseFloat(css(x).outlineWidth) >= 2);
	const r = e.getBoundingClientRect();
	let not = "";
	if (e === document.body) not = ""; // the browser's own bar has it
	else if (!ring && e.tabIndex >= 0) not = "has no ring"; // a part that only a script leads to has nothing to press
	else if (r.bottom <= 0 || r.top >= innerHeight || r.right <= 0 || r.left >= innerWidth) not = "is out of the window";
	return {Is: e !== document.body && !!(%s), What: e.tagName.toLowerCase() + " " + (e.name || "") + " " + words(whole).slice(0, 40), Seen: not,
		Part: ((e.parentElement || e).closest("main,aside,header,footer,nav,.band") || {tagName: ""}).tagName, Top: r.top + scrollY, Below: r.bottom + scrollY, Left: r.left, Right: r.right};
})()`

// press sends one key; modifiers as chromedp has them. Its first half goes out raw, as a keyboard's does: only then does the
// browser leave out the character of a key whose first half was already an answer, such as Enter on a link that moves the focus.
func (h *Hands) press(key string, with ...chromedp.KeyOption) {
	h.tab.t.Helper()
	raw := func(p *input.DispatchKeyEventParams) {
		if p.Type == kb.KeyDown {
			p.Type = input.DispatchKeyEventTypeRawKeyDown
		}
	}
	if err := chromedp.Do(h.tab.ctx, chromedp.KeyEvent(key, append(with, raw)...)); err != nil {
		h.tab.t.Fatal(err)
	}
}

// Press presses a key where the focus is.
func (h *Hands) Press(key string) *Hands {
	h.tab.t.Helper()
	h.press(key)
	return h
}

// Back presses Shift+Tab.
func (h *Hands) Back() *Hands {
	h.tab.t.Helper()
	h.press(KeyTab, chromedp.KeyModifiers(chromedp.ModifierShift))
	return h
}

// To presses Tab until the focus is on what an expression says of the element e, such as e.name === "code".
func (h *Hands) To(what, expression string) *Hands {
	h.tab.t.Helper()
	for range furthest {
		h.press(KeyTab)
		s := eventually(h.tab, fmt.Sprintf(focused, expression), func(stop) bool { return true })
		switch {
		case s.Seen != "":
			h.tab.t.Errorf("the focus on %s %s, at %s", s.What, s.Seen, h.tab.Path())
		case s.Part != "" && s.Part == h.was.Part && s.Below < h.was.Top && s.Left < h.was.Right && s.Right > h.was.Left:
			h.tab.t.Errorf("the focus jumps up from %s to %s, at %s", h.was.What, s.What, h.tab.Path())
		}
		if h.was = s; s.Is {
			return h
		}
	}
	h.tab.fail(fmt.Sprintf("%d presses of Tab do not lead to %s", furthest, what))
	return h
}

// Holds waits until the focus is on what an expression says of the element e: a page that makes a part of itself anew, or
// comes back with something wrong, puts the focus somewhere useful and does not drop it.
func (h *Hands) Holds(what, expression string) *Hands {
	h.tab.t.Helper()
	s := eventually(h.tab, fmt.Sprintf(focused, expression), func(s stop) bool { return s.Is && s.Seen == "" })
	h.was = s
	return h
}

// ToField goes to a question by its name.
func (h *Hands) ToField(name string) *Hands {
	h.tab.t.Helper()
	return h.To(name, `e.name === `+js(name))
}

// ToWords goes to a link or a button by its words.
func (h *Hands) ToWords(label string) *Hands {
	h.tab.t.Helper()
	return h.To(label, `words(e) === `+js(label))
}

// Type goes to a field and types.
func (h *Hands) Type(pairs ...string) *Hands {
	h.tab.t.Helper()
	for i := 0; i+1 < len(pairs); i += 2 {
		h.ToField(pairs[i])
		err := chromedp.Do(h.tab.ctx, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
			_, err := cdp.Call(ctx, t, input.InsertText, input.InsertTextParams{Text: pairs[i+1]})
			return err
		}))
		if err != nil {
			h.tab.t.Fatal(err)
		}
		h.tab.Await(pairs[i]+" holds what was typed", `document.activeElement.value === `+js(pairs[i+1]))
	}
	return h
}

// Pick goes to a list or a group of choices and presses an arrow until a value is chosen.
func (h *Hands) Pick(name, value string) *Hands {
	h.tab.t.Helper()
	h.ToField(name)
	for range 40 {
		if h.tab.Value(name) == value {
			return h
		}
		h.press(KeyDown)
	}
	h.tab.fail("the arrows do not lead to " + name + "=" + value)
	return h
}

// Fresh says that a new page begins: the focus starts from its top.
func (h *Hands) Fresh(pattern string) *Hands {
	h.tab.t.Helper()
	h.tab.At(pattern)
	h.was = stop{}
	return h
}
