package ui

import "github.com/a-h/templ"

// Column is one column of a data table.
type Column struct {
	Label string
	Right bool   // numbers
	Sort  string // URL that sorts by it; "" none
	Order string // "ascending" or "descending" when sorted by it
	Wide  bool   // takes what is left
}

// Row is one line of a data table; Href makes the whole line a link.
type Row struct {
	Href  string
	Cells []Cell
	Tone  Tone // Danger marks an overdue line at its edge
}

// Cell is one value; the zero value of what is not used draws nothing.
type Cell struct {
	Text string
	Sub  string          // small second line
	Mono bool            // serials and order numbers
	Body templ.Component // instead of Text: a Tag, a Due
}

// TableProps is a data table with fixed header. Density is a reader's choice
// kept in his browser.
type TableProps struct {
	Label   string // what it lists, for screen readers
	Columns []Column
	Rows    []Row
	Empty   EmptyProps
	Dense   bool // start dense
	Tools   bool // show the density switch
}

// FilterProps is the row of filters above a list: a GET form.
type FilterProps struct {
	Action  string
	Query   string // value of q
	Hint    string // placeholder of q: "订单号、企业名称、SN"; "" leaves q out
	Selects []FilterSelect
	Hidden  []Pair // kept values: tab, sort
	Reset   string // URL without filters
}

// FilterSelect is one choice among the filters.
type FilterSelect struct {
	Name, Label, Value string
	Options            []Option
	All                string // the choice that does not narrow; "" says 全部
}

// Doc is one document on the review desk.
type Doc struct {
	Label string
	URL   string // picture; same origin
	State Tone   // Good when its checks passed, Warn, Danger
	Field string // field key: the datum beside it highlights its documents
	Type  string // "image" when empty; "pdf" opens beside
}

// Fact is one datum on the review desk, in the order of the documents.
type Fact struct {
	Field  string
	Label  string
	Value  string // masked where personal
	Check  Tone   // the check's verdict
	Note   string // what the check says
	Letter string // the value on the letter when it differs
	Was    string // the value before a second submission
	Before string // why it was refused the last time
	Reveal string // URL that POSTs to show the masked value (audited); "" none
	Reject bool   // offer "reject this field"

	Refused bool   // it was ticked before the page came back with an error
	Reason  string // … and this reason typed
}

// Verdict is one button of the verdict bar.
type Verdict struct {
	Button ButtonProps
}

// DeskProps is the split review desk: documents left, data right, verdict at
// the foot.
type DeskProps struct {
	Docs    []Doc
	Facts   []FactGroup
	Verdict templ.Component
}

// FactGroup is a group of data, titled.
type FactGroup struct {
	Title string
	Facts []Fact
}
