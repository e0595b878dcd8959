// Package payment brings an order's money in, and back.
//
// In: orders that await payment; a payer's choice of channel; what gateways
// say (notifications, answers to queries); vouchers of bank transfers and what
// finance says of them. Out: one row per attempt, orders advanced by the event
// "paid", refunds proposed for money no order needs, refunds carried out.
//
// What holds at every moment (reliability A3): the server computes the amount
// and freezes it per attempt; a notification is stored before it is believed;
// an attempt is inserted before the gateway hears of it; at most one attempt
// settles an order; money that arrives is recorded even when the order no
// longer wants it; nobody is answered "success" before the commit.
package payment
