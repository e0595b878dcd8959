package ui

import (
	"slices"

	"github.com/a-h/templ"

	"certsaas/core/web/theme"
)

// PortalProps is a page of a tenant's portal, or of the platform.
type PortalProps struct {
	Title   string          // heading and <title>
	Lead    string          // one or two sentences under the heading
	Kicker  string          // small line above it: product and service
	Back    Link            // back link above the heading; empty: none
	Steps   []Step          // the journey; drawn where the brand's shape puts it
	Aside   templ.Component // summary column; a bar at the foot of a phone
	Art     bool            // draw the tenant's key beside the heading (entry, done)
	Narrow  bool            // one narrow column: login, code, receipt
	Wide    bool            // a wide list: tables
	Action  templ.Component // the one button of an entry page, under the lead
	Scripts []string        // further assets, e.g. "upload.js"
	Refresh int             // seconds after which a page without scripts asks again; 0: never
}

// Step is one stage of a journey.
type Step struct {
	Label string
	Href  string    // where it may be looked at again; "" none
	State StepState // Todo when empty
}

// StepState says how far a step is.
type StepState string

// The states of a step.
const (
	StepTodo    StepState = "todo"
	StepNow     StepState = "now"
	StepDone    StepState = "done"
	StepTrouble StepState = "trouble" // came back with a reason
)

// Steps marks everything before current done and current itself now.
func Steps(current int, labels ...string) []Step {
	out := make([]Step, len(labels))
	for i, l := range labels {
		out[i] = Step{Label: l, State: StepTodo}
		switch {
		case i < current:
			out[i].State = StepDone
		case i == current:
			out[i].State = StepNow
		}
	}
	return out
}

// at is the number (from 1) of the current step, 0 when none is.
func at(steps []Step) int {
	for i, s := range steps {
		if s.State == StepNow || s.State == StepTrouble {
			return i + 1
		}
	}
	return 0
}

// through tells whether every step is done.
func through(steps []Step) bool {
	return !slices.ContainsFunc(steps, func(s Step) bool { return s.State != StepDone })
}

// ConsoleProps is a page of the staff console.
type ConsoleProps struct {
	Title   string
	Crumbs  []Link          // path to here, without the page itself
	Nav     []NavGroup      // left rail
	Actions templ.Component // at the right of the heading
	Full    bool            // no padding, no page scroll: review desk
	Banner  string          // "您正在查看租户 … " when staff are inside a tenant
	Scripts []string
}

// NavGroup is a group of the left rail.
type NavGroup struct {
	Label string // "" for the first
	Items []NavItem
}

// NavItem is one line of the left rail.
type NavItem struct {
	Label  string
	Href   string
	Icon   string
	Count  int  // work waiting; 0 draws nothing
	Late   bool // some of it is overdue
	Active bool
}

func pageTitle(p *Page, title string, hasErrors string) string {
	if p.Title != "" {
		title = p.Title
	}
	name := p.Brand.Name.In(p.Locale())
	if title != "" && name != "" {
		title += " – "
	}
	title += name
	if len(p.Errors) > 0 {
		return hasErrors + title
	}
	return title
}

func shape(p *Page) theme.Shape { return p.Brand.Theme.Shape() }

func bodyClass(p *Page, extra ...string) string {
	return classes(append([]string{"portal", "shape-" + string(shape(p)), "corner-" + string(p.Brand.Theme.Corner()), "brand-" + p.Brand.Slug}, extra...)...)
}

func when(cond bool, s string) string {
	if cond {
		return s
	}
	return ""
}

// otherLanguages are the languages a reader may switch to.
func otherLanguages(p *Page) []Link {
	names := map[string]string{"zh-CN": "中文", "en": "English"}
	var out []Link
	for _, l := range p.Brand.Languages {
		if l != p.Locale() && names[l] != "" {
			out = append(out, Link{Label: names[l], Href: p.Path + "?lang=" + l})
		}
	}
	return out
}
