// Package client holds the script that pages use to speak to the key agent. It is
// a plain script without eval, fit for a strict Content-Security-Policy; it
// defines window.UKAgent.
package client

import _ "embed"

// JS is ukagent.js, to be served as text/javascript from the page's own origin.
// The page's policy must let it connect to the agent's three ports (agent.Ports).
//
//go:embed ukagent.js
var JS []byte
