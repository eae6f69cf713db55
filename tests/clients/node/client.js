// A client of the order service in JavaScript: it places an order, watches it to its end, reads it again, and learns by
// field what is wrong with another. Its arguments are the service's address and the folders that hold the proto files.
"use strict";
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [address, ...includeDirs] = process.argv.slice(2);
const files = ["ordersaga/order/v1/order.proto", "google/rpc/status.proto", "google/rpc/error_details.proto"];
// A number of JavaScript's holds 53 bits, an int64 is therefore a string.
const contract = loader.loadSync(files, { includeDirs, longs: String, enums: String });
const { OrderService } = grpc.loadPackageDefinition(contract).ordersaga.order.v1;
const orders = new OrderService(address, grpc.credentials.createInsecure());

const options = () => ({ deadline: Date.now() + 60_000 });
const call = (method, request) =>
  new Promise((resolve, reject) =>
    orders[method](request, options(), (error, answer) => (error ? reject(error) : resolve(answer.order))),
  );
const tell = (what, order) => console.log(what, order.orderId, order.userId, order.status);

function violations(error) {
  const [body] = error.metadata.get("grpc-status-details-bin");
  return contract["google.rpc.Status"]
    .deserialize(body)
    .details.filter((detail) => detail.type_url.endsWith("/google.rpc.BadRequest"))
    .flatMap((detail) => contract["google.rpc.BadRequest"].deserialize(detail.value).fieldViolations);
}

async function main() {
  const wanted = { userId: "9007199254740993", productId: "1", quantity: "1", price: "10000" };
  const placed = await call("CreateOrder", wanted);
  tell("placed", placed);
  for await (const update of orders.WatchOrder({ orderId: placed.orderId }, options())) tell("watched", update.order);
  tell("read", await call("GetOrder", { orderId: placed.orderId }));
  try {
    await call("CreateOrder", { ...wanted, quantity: "0" });
  } catch (error) {
    for (const { field, description } of violations(error)) console.log(`refused ${error.code} ${field}: ${description}`);
  }
  orders.close();
}

main();
