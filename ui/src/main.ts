import { mount } from "svelte";

import App from "./App.svelte";
import "./style/tokens.css";
import "./style/base.css";
import "./style/parts.css";
import "./style/figures.css";
import "./style/operations.css";

mount(App, { target: document.body });
