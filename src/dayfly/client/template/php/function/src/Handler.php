<?php

declare(strict_types=1);

namespace App;

/**
 * A function: `handle` is called for each request with its body.
 *
 * The rest of the request is in variables: getenv('Http_Method'), 'Http_Path', 'Http_Query', 'Http_X_Call_Id' … What is
 * returned is the answer: text as it is, `['statusCode' => …, 'headers' => […], 'body' => …]` to say everything, any
 * other array as JSON. What is printed goes to the log: `dayfly logs`.
 */
class Handler
{
    /** Greet whoever the request names. */
    public function handle(string $data): string|array
    {
        $name = trim($data);
        return 'Hello, ' . ($name === '' ? 'stranger' : $name) . "!\n";
    }
}
