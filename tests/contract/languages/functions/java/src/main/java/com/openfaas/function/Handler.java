package com.openfaas.function;

import com.openfaas.model.IRequest;
import com.openfaas.model.IResponse;
import com.openfaas.model.Response;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;

public class Handler extends com.openfaas.model.AbstractHandler {
    public IResponse Handle(IRequest request) {
        byte[] body = request.getBodyBytes();
        int end = 0;
        while (end < body.length && body[end] != '\n') {
            end++;
        }
        String[] words = new String(body, 0, end, StandardCharsets.UTF_8).split(" ");
        byte[] rest = Arrays.copyOfRange(body, Math.min(end + 1, body.length), body.length);
        String text = new String(rest, StandardCharsets.UTF_8);
        Response response = new Response();
        switch (words[0]) {
            case "echo":
                response.setBodyBytes(rest);
                break;
            case "tell":
                response.setBody(request.getMethod() + " " + request.getPathRaw() + " " + request.getQueryRaw() + " "
                        + request.getHeader("x-mark"));
                break;
            case "answer":
                response.setStatusCode(418);
                response.setHeader("X-Mark", "seen");
                response.setBody("short and stout");
                break;
            case "raise":
                throw new IllegalStateException("told on purpose");
            case "log":
                System.out.println("to stdout: " + text);
                System.err.println("to stderr: " + text);
                break;
            case "settings":
                try {
                    javax.net.ssl.SSLContext.getDefault();
                    response.setBody("found");
                } catch (Exception | Error unset) {
                    response.setBody("missing");
                }
                break;
            case "env":
                String value = System.getenv(words[1]);
                response.setBody(value == null ? "" : value);
                break;
            case "sleep":
                try {
                    Thread.sleep((long) (Double.parseDouble(words[1]) * 1000));
                } catch (InterruptedException interrupted) {
                    throw new IllegalStateException(interrupted);
                }
                response.setBody("awake");
                break;
            default:
        }
        return response;
    }
}
