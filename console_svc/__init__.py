"""The console: what a browser shows of orders and their sagas, and what an operator does about them there.

It has no database and no consumer group. It asks the services by gRPC, as whoever sits before the browser.
"""
