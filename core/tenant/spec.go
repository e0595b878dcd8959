package tenant

import (
	"time"

	"certsaas/core/i18n"
)

// Spec is tenant.yaml: what holds for all products.
type Spec struct {
	Slug      string    `yaml:"slug" need:"yes"`
	Hosts     []string  `yaml:"hosts"`
	Names     Names     `yaml:"names" need:"yes"`
	Languages []string  `yaml:"languages" need:"yes" oneof:"zh-CN en"`
	Timezone  string    `yaml:"timezone"` // IANA name; empty: Asia/Shanghai. Reminders and quiet hours go by it
	Contact   Contact   `yaml:"contact" need:"yes"`
	Theme     Theme     `yaml:"theme" need:"yes"`
	CA        i18n.Text `yaml:"ca" need:"yes"`
	Operator  i18n.Text `yaml:"operator" need:"yes"`
	Accounts  Accounts  `yaml:"accounts"`
	Roster    Roster    `yaml:"roster"`
	DeskMail  DeskMail  `yaml:"desk_mail"`
	Reminders Pace      `yaml:"reminders"`

	Administrator Administrator `yaml:"administrator"`
	Banks         []Bank        `yaml:"banks"`
	Products      []string      `yaml:"products" need:"yes"` // file names in products/, in the order shown
	Demo          bool          `yaml:"demo"`
}

// Names are the enterprise's names: Full on letters, Short on pages, Applicant is what it calls its applicants (代理商, 供应商).
type Names struct {
	Full      i18n.Text `yaml:"full" need:"yes"`
	Short     i18n.Text `yaml:"short" need:"yes"`
	Applicant i18n.Text `yaml:"applicant" need:"yes"`
	Platform  i18n.Text `yaml:"platform" need:"yes"` // the enterprise's system that the key opens
}

// Contact is where help is. Empty entries are not shown.
type Contact struct {
	Unit    i18n.Text `yaml:"unit"`    // 客户服务部 (req B60)
	Hotline string    `yaml:"hotline"` // telephone
	QQ      string    `yaml:"qq"`
	Email   string    `yaml:"email"`
	Hours   i18n.Text `yaml:"hours"`
	Address i18n.Text `yaml:"address"`
	Order   []string  `yaml:"order" oneof:"hotline qq email hours address"` // the order of help on pages
}

// Theme is how the portal looks; core/web/theme derives the colours.
type Theme struct {
	Brand        string    `yaml:"brand" need:"yes"`                         // #rrggbb
	Header       string    `yaml:"header" need:"yes" oneof:"bar split hero"` // header shape
	Corner       string    `yaml:"corner" need:"yes" oneof:"square soft"`    // corner character
	Wordmark     string    `yaml:"wordmark" need:"yes"`                      // SVG in theme/
	Illustration string    `yaml:"illustration" need:"yes"`                  // SVG in theme/: the tenant's key
	Greeting     i18n.Text `yaml:"greeting" need:"yes"`                      // first line of the portal
	Lead         i18n.Text `yaml:"lead"`                                     // sentence under the greeting
	ServedBy     i18n.Text `yaml:"served_by"`                                // small line: 由天威诚信提供服务
}

// Accounts says what an applicant agrees to when an account is made.
type Accounts struct {
	Agreements []string `yaml:"agreements"` // ids; ticked at registration
}

// Roster is the optional list of the enterprise's dealers.
type Roster struct {
	Enabled bool   `yaml:"enabled"` // roster.txt lists the dealers, and products may ask whether one is listed
	By      string `yaml:"by"`      // answer that is looked up: dealer_code, uscc, …; without enabled: by which contacts are kept in the console
}

// Administrator is who looks after the dealers at the enterprise: the last who is told that a key ends whose holder cannot be
// reached. A mailbox of the enterprise, not of a person.
type Administrator struct {
	Email string `yaml:"email"`
}

// DeskMail is where the operator's staff read that an order has lain with them too long: mailboxes of teams, not of persons.
// An empty one gets nothing; the console shows it all the same.
type DeskMail struct {
	Reviewer string `yaml:"reviewer"`
	Producer string `yaml:"producer"`
	Finance  string `yaml:"finance"`
}

// Bank is an account that money is sent to.
type Bank struct {
	ID     string    `yaml:"id" need:"yes"`
	Owner  string    `yaml:"owner" need:"yes" oneof:"operator enterprise"`
	Name   i18n.Text `yaml:"name" need:"yes"` // account holder
	Bank   i18n.Text `yaml:"bank" need:"yes"`
	Number string    `yaml:"number" need:"yes"` // digits
	Code   string    `yaml:"code"`              // 联行号, 12 digits
	Note   i18n.Text `yaml:"note"`
}

// Agreement is a text to tick.
type Agreement struct {
	ID      string      `yaml:"-"`
	Title   i18n.Text   `yaml:"title" need:"yes"`
	Version string      `yaml:"version" need:"yes"`
	Body    []i18n.Text `yaml:"body" need:"yes"` // paragraphs
}

// Message is what is said at one event, by channel. Placeholders are {name}; Events lists which.
type Message struct {
	SMS   i18n.Text `yaml:"sms"`
	Email Mail      `yaml:"email"`
}

// Mail is an e-mail: subject and plain-text body.
type Mail struct {
	Subject i18n.Text `yaml:"subject"`
	Body    i18n.Text `yaml:"body"`
}

// Letter is a document the applicant prints, seals and sends back (domain §9).
type Letter struct {
	ID        string    `yaml:"-"`
	Title     i18n.Text `yaml:"title" need:"yes"`
	To        i18n.Text `yaml:"to" need:"yes"`
	Blocks    []Block   `yaml:"blocks" need:"yes"`
	Seal      string    `yaml:"seal" need:"yes" oneof:"physical signature"` // company seal, or signed by hand
	Colour    bool      `yaml:"colour"`                                     // the scan must be in colour
	ValidDays int       `yaml:"valid_days"`                                 // days from printing; 0 = 30
	Outputs   []string  `yaml:"outputs" oneof:"download print"`             // req B43 K20
	Note      i18n.Text `yaml:"note"`                                       // shown beside the download (req B45 K22 K23)
}

// Block is a piece of a letter; placeholders {key} are answers or LetterFacts.
type Block struct {
	Kind string    `yaml:"kind" need:"yes" oneof:"paragraph clause field heading note"`
	Text i18n.Text `yaml:"text"`
	Rows []Row     `yaml:"rows"` // field: label and value pairs
}

// Row is one labelled value of a letter.
type Row struct {
	Label i18n.Text `yaml:"label" need:"yes"`
	Value string    `yaml:"value" need:"yes"` // text with placeholders
}

// Section is a part of 办理须知, generated from the live definition.
type Section struct {
	ID    string      `yaml:"id" need:"yes"`
	Kind  string      `yaml:"kind" need:"yes" oneof:"text flow steps fields prices payment delivery invoice letter notices contact"`
	Title i18n.Text   `yaml:"title" need:"yes"`
	Body  []i18n.Text `yaml:"body"`
}

// Notice is one numbered rule of use (req B63–B70 K48–K55).
type Notice struct {
	ID   string    `yaml:"id" need:"yes"`
	Text i18n.Text `yaml:"text" need:"yes"`
}

// Confirm is what stands between the form and what follows.
type Confirm struct {
	Page       bool          `yaml:"page"`      // repeat the data, 取消 keeps it (req K31 K32)
	Agreement  string        `yaml:"agreement"` // id, "" = none (req K33)
	Code       bool          `yaml:"code"`      // SMS code to the applicant's mobile (req K34 K35)
	CodeTTL    time.Duration `yaml:"code_ttl"`  // req K36
	ResendWait time.Duration `yaml:"resend_wait"`
}
