package com.openfaas.entrypoint;

import com.openfaas.model.IHandler;
import com.openfaas.model.IRequest;
import com.openfaas.model.IResponse;
import com.openfaas.model.Request;
import com.openfaas.model.Response;
import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.RejectedExecutionHandler;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;

/** The program around a function: it serves HTTP on $PORT and passes each request to com.openfaas.function.Handler. */
public final class App {
    /** Calls at a time; a replica may have 512 threads and processes. */
    private static final int MAX_CALLS = 256;

    private final IHandler handler;

    private App(IHandler handler) {
        this.handler = handler;
    }

    public static void main(String[] arguments) throws IOException {
        int port = Integer.parseInt(System.getenv("PORT"));
        App app = new App(new com.openfaas.function.Handler());
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), 1024);
        server.createContext("/", app::serve);
        server.setExecutor(threads());
        server.start();
    }

    /** As many threads as calls need, up to a limit; beyond it whoever accepts connections waits. */
    private static Executor threads() {
        RejectedExecutionHandler wait = (task, pool) -> {
            try {
                pool.getQueue().put(task);
            } catch (InterruptedException stopped) {
                throw new RejectedExecutionException(stopped);
            }
        };
        return new ThreadPoolExecutor(0, MAX_CALLS, 60, TimeUnit.SECONDS, new SynchronousQueue<>(), wait);
    }

    private void serve(HttpExchange exchange) throws IOException {
        try (exchange) {
            IRequest request = read(exchange);
            IResponse response;
            try {
                response = handler.Handle(request);
                prepare(exchange, response);
            } catch (Throwable raised) { // a fault of the function costs this one call, whatever kind it is
                raised.printStackTrace();
                response = problem(raised.getClass().getName(), request.getHeader("X-Call-Id"));
                exchange.getResponseHeaders().clear();
                prepare(exchange, response);
            }
            send(exchange, response.getStatusCode(), response.getBodyBytes());
        }
    }

    private static IRequest read(HttpExchange exchange) throws IOException {
        Map<String, String> headers = new HashMap<>();
        exchange.getRequestHeaders().forEach((name, values) -> headers.put(name, values.get(0)));
        byte[] body = exchange.getRequestBody().readAllBytes();
        String query = exchange.getRequestURI().getRawQuery();
        return new Request(body, headers, exchange.getRequestMethod(), query, exchange.getRequestURI().getRawPath());
    }

    /** Sets the answer's headers. Throws IllegalArgumentException for what cannot be sent. */
    private static void prepare(HttpExchange exchange, IResponse response) {
        int status = response.getStatusCode();
        if (status < 200 || status > 599) {
            throw new IllegalArgumentException("a status of " + status + " cannot be sent");
        }
        Headers headers = exchange.getResponseHeaders();
        response.getHeaders().forEach(headers::set);
        if (!response.getContentType().isEmpty()) {
            headers.set("Content-Type", response.getContentType());
        }
    }

    private static void send(HttpExchange exchange, int status, byte[] body) throws IOException {
        boolean headOnly = exchange.getRequestMethod().equals("HEAD");
        if (headOnly) {
            exchange.getResponseHeaders().set("Content-Length", Integer.toString(body.length));
        }
        boolean bodiless = headOnly || status == 204 || status == 304 || body.length == 0;
        exchange.sendResponseHeaders(status, bodiless ? -1 : body.length);
        if (!bodiless) {
            exchange.getResponseBody().write(body);
        }
    }

    /** The answer to a call that failed, as every language of the platform tells it (RFC 9457). */
    private static IResponse problem(String kind, String callId) {
        String id = callId == null ? "" : callId.replaceAll("[^A-Za-z0-9._-]", "");
        IResponse problem = new Response();
        problem.setStatusCode(500);
        problem.setContentType("application/problem+json");
        problem.setBody("{\"type\":\"urn:dayfly:problem:function_failed\",\"title\":\"Internal Server Error\",\"status\":500,"
                + "\"detail\":\"the function raised " + kind + "; its log has the traceback\","
                + "\"code\":\"function_failed\",\"call_id\":\"" + id + "\"}");
        return problem;
    }
}
